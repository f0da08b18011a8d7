// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// bill is what requests come to: each is told, missing or free.
type bill struct {
	told, missing, free                            int
	input, output, estimatedInput, estimatedOutput int64
}

func (b *bill) add(o bill) {
	b.told, b.missing, b.free = b.told+o.told, b.missing+o.missing, b.free+o.free
	b.input, b.output = b.input+o.input, b.output+o.output
	b.estimatedInput, b.estimatedOutput = b.estimatedInput+o.estimatedInput, b.estimatedOutput+o.estimatedOutput
}

// seen is how much of an exchange the external processor got to see.
type seen struct {
	*exchange

	answered, ended bool
	bytes           int // of the answer
}

// reached tells whether it could read the answer as far as an offset.
func (s seen) reached(offset int) bool {
	return offset >= 0 && s.bytes >= offset && !s.compressed && s.status == 200
}

// estimate is what a request comes to of which TARS has told nothing final.
func (s seen) estimate() bill {
	b, size := bill{missing: 1, estimatedInput: s.prompt}, 0
	for _, text := range s.written {
		if s.reached(text.end) {
			size += text.size
			b.estimatedOutput++ // at least one a piece
		}
	}
	b.estimatedOutput = max(b.estimatedOutput, tokens(size))
	if s.reached(s.start) {
		b.estimatedOutput = max(b.estimatedOutput, s.begun[1])
		if s.begun[0] > 0 {
			b.estimatedInput = s.begun[0]
		}
	}
	return b
}

// free tells whether the answer says that nothing was run.
func (s seen) free() bool {
	switch {
	case s.local != "":
		return !strings.Contains(s.local, "timeout") && !strings.Contains(s.local, "termination")
	case s.status != 200:
		return true
	default:
		return s.reached(s.failure) && !s.reached(s.start) && s.estimate().estimatedOutput == 0
	}
}

// due is what an exchange comes to that ended after these messages were
// received and these replies sent.
func (e *exchange) due(received []*extprocv3.ProcessingRequest, replies []*extprocv3.ProcessingResponse) bill {
	if _, ends := sentBody(replies); ends != 1 {
		return bill{free: 1} // TARS never had the whole request
	}
	s := seen{exchange: e}
	for _, m := range received {
		s.answered = s.answered || m.GetResponseHeaders() != nil
		s.bytes += len(m.GetResponseBody().GetBody())
		s.ended = s.ended || m.GetResponseBody().GetEndOfStream() || m.GetResponseTrailers() != nil
	}
	onlyStart := s.reached(s.start) && s.final < 0 && s.failure < 0 && len(s.written) == 0
	switch {
	case s.answered && s.free():
		return bill{free: 1}
	case s.reached(s.final), onlyStart && s.ended:
		return bill{told: 1, input: e.counts.Input, output: e.counts.Output}
	default:
		return s.estimate()
	}
}

// brokenStream is a stream that Envoy resets after some messages, or that
// fails at a reply.
type brokenStream struct {
	stream

	received []*extprocv3.ProcessingRequest
}

func (s *brokenStream) next(m *extprocv3.ProcessingRequest) {
	if m != nil {
		s.received = append(s.received, m)
	}
}

// play runs the exchange up to a cut and returns what it comes to.
func (e *exchange) play(t *testing.T, b *bench) bill {
	s := &brokenStream{}
	messages := e.messages()
	whole := len(messages)
	switch e.rng.IntN(4) {
	case 0:
		messages = messages[:e.rng.IntN(whole+1)]
	case 1:
		s.failAt = 1 + e.rng.IntN(whole+1)
	}
	none := len(messages) == 0
	err := b.serve(s, messages...)
	if err != nil && s.failAt == 0 {
		t.Errorf("%s: %v", e.path, err)
	}
	if none {
		return bill{} // no headers came: there is no request
	}
	due := e.due(s.received, s.replies)
	e.checkMetadata(t, s, due, err == nil && len(s.received) == whole)
	return due
}

// checkMetadata looks at what limits and access logs are told.
func (e *exchange) checkMetadata(t *testing.T, s *brokenStream, due bill, whole bool) {
	var last map[string]any
	for i := range s.replies {
		last = lastMetadata(s.replies[:i+1])
		_, number := last["total_tokens"].(float64)
		_, truth := last["estimated"].(bool)
		if !number || !truth {
			t.Errorf("%s: a reply tells %v", e.path, last)
		}
	}
	if !whole {
		return
	}
	want := float64(due.input + due.output + due.estimatedInput + due.estimatedOutput)
	if last["total_tokens"] != want || last["estimated"] != (due.missing == 1) {
		t.Errorf("%s: the last reply tells %v, due are %+v\n%s\n%q", e.path, last, due, e.request, e.answer)
	}
}

// sums adds up a metric: the series of input tokens, and all others.
func (b *bench) sums(name string) (input, others int64) {
	for _, line := range b.counted(name + "{") {
		n, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		Expect(err).NotTo(HaveOccurred())
		if strings.Contains(line, `gen_ai_token_type="input"`) {
			input += int64(n)
		} else {
			others += int64(n)
		}
	}
	return input, others
}

// settled is what the metrics say.
func (b *bench) settled() bill {
	var got bill
	got.input, got.output = b.sums("gen_ai_client_token_usage_sum")
	told, again := b.sums("gen_ai_client_token_usage_count")
	Expect(again).To(Equal(told), "requests with input and with output")
	_, missing := b.sums("tars_usage_missing_total")
	got.estimatedInput, got.estimatedOutput = b.sums("tars_usage_estimated_tokens_total")
	_, requests := b.sums("tars_requests_total")
	got.told, got.missing, got.free = int(told), int(missing), int(requests-told-missing)
	return got
}

// FuzzSettlement plays exchanges side by side, each of any API and shape, cut
// into any pieces and cut short anywhere: every request is settled once, told
// by TARS, missing or free, the sums are those of what was played, and nothing
// stays held or in flight.
func FuzzSettlement(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		RegisterTestingT(t)
		b := newBench(func(r *config.Route) { r.Allow = []string{"gpt"} })
		var mu sync.Mutex
		var due bill
		var all sync.WaitGroup
		for i := range uint64(12) {
			all.Go(func() {
				one := newExchange(rand.New(rand.NewPCG(seed, i))).play(t, b)
				mu.Lock()
				defer mu.Unlock()
				due.add(one)
			})
		}
		all.Wait()
		if got := b.settled(); got != due {
			t.Errorf("seed %d: settled %+v, due %+v", seed, got, due)
		}
		if held := b.budget.Held(); held != 0 {
			t.Errorf("seed %d: %d bytes are held", seed, held)
		}
		if lines := b.counted("tars_requests_in_flight"); len(lines) != 1 || !strings.HasSuffix(lines[0], " 0") {
			t.Errorf("seed %d: %v", seed, lines)
		}
	})
}
