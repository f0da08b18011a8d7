// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/server"
)

// everyMessage is one of each kind, and some that lead elsewhere.
func everyMessage() []*extprocv3.ProcessingRequest {
	return []*extprocv3.ProcessingRequest{
		post(chatPath), post("/v1/files"), get("/v1/models"), get(canaryPath), post("/other"),
		requestBody(`{"model":"gpt","stream":true}`, false), requestBody("", true), requestBody("{", false), requestTrailers("a", "b"),
		responseHeaders(200, false, "content-type", streamType), responseHeaders(200, false, "content-type", jsonType),
		responseHeaders(503, true), localReply(503, "x", chatPath),
		responseBody(delta, false), responseBody(usageChunk, true), responseBody("data: ", false), responseTrailers("a", "b"),
		{}, {Request: &extprocv3.ProcessingRequest_ResponseHeaders{}}, {Request: &extprocv3.ProcessingRequest_RequestHeaders{}}, {Request: &extprocv3.ProcessingRequest_RequestBody{}},
	}
}

// checkReplies holds replies to the protocol, whatever they reply to: headers
// first and once, nothing after the end of a direction but its trailers,
// nothing at all after an answer of ours, metadata with each.
func checkReplies(t *testing.T, replies []*extprocv3.ProcessingResponse) {
	t.Helper()
	type direction struct{ headers, ended, trailers bool }
	var in, out direction
	headers := func(d *direction) bool {
		first := !d.headers && !d.trailers
		d.headers = true
		return first
	}
	body := func(d *direction, m *extprocv3.BodyResponse) bool {
		open := d.headers && !d.ended && !d.trailers
		d.ended = m.GetResponse().GetBodyMutation().GetStreamedResponse().GetEndOfStream()
		return open
	}
	for i, reply := range replies {
		var ok bool
		switch m := reply.GetResponse().(type) {
		case *extprocv3.ProcessingResponse_RequestHeaders:
			ok = headers(&in)
		case *extprocv3.ProcessingResponse_RequestBody:
			ok = body(&in, m.RequestBody)
		case *extprocv3.ProcessingResponse_ResponseHeaders:
			ok = headers(&out)
		case *extprocv3.ProcessingResponse_ResponseBody:
			ok = body(&out, m.ResponseBody)
		case *extprocv3.ProcessingResponse_ResponseTrailers:
			ok = out.headers && !out.ended && !out.trailers
			out.trailers = true
		case *extprocv3.ProcessingResponse_ImmediateResponse:
			ok = i == len(replies)-1
		}
		if _, told := lastMetadata(replies[:i+1])["total_tokens"]; !ok || !told {
			t.Fatalf("reply %d is out of order or tells nothing: %s", i, describe(reply))
		}
	}
}

// FuzzOrder plays messages in any order: whatever comes, nothing panics, each
// is answered once at most, a request is counted once, and nothing stays held
// or in flight.
func FuzzOrder(f *testing.F) {
	f.Add([]byte{0, 5, 6, 9, 13, 14})
	f.Add([]byte{2, 10, 13, 16})
	f.Add([]byte{12, 13})
	f.Add([]byte{1, 5, 10, 5, 13, 6, 14})
	f.Add([]byte{1, 8, 5, 6, 10, 13})
	f.Add([]byte{0, 7, 7, 6, 9, 14})
	f.Add([]byte{2, 10, 14, 13, 16})
	f.Add([]byte{0, 5, 6, 9, 13, 16, 13, 16})
	f.Add([]byte{1, 6, 10, 14, 14, 14, 16})
	f.Fuzz(func(t *testing.T, order []byte) {
		RegisterTestingT(t)
		b := newBench(func(r *config.Route) { restricted(r); forwarding(r); r.Allow = append(r.Allow, "gpt") })
		s := &stream{failAt: len(order) % 7}
		all := everyMessage()
		var messages []*extprocv3.ProcessingRequest
		for _, n := range order {
			messages = append(messages, all[int(n)%len(all)])
		}
		if err := b.serve(s, messages...); err != nil && status.Code(errors.Unwrap(err)) == codes.Internal {
			t.Fatal(err)
		}
		checkReplies(t, s.replies)
		if got := b.settled(); got.told+got.missing+got.free > 1 || got.told+got.missing > 1 || got.free < 0 {
			t.Fatalf("settled %+v", got)
		}
		if b.budget.Held() != 0 {
			t.Fatalf("%d bytes are held", b.budget.Held())
		}
		for _, line := range b.counted("tars_requests_in_flight") {
			if line != `tars_requests_in_flight{tarsbackend="ns/name"} 0` {
				t.Fatal(line)
			}
		}
	})
}

var _ = DescribeTable("Messages in an order that the protocol rules out end the stream with an error",
	func(messages ...*extprocv3.ProcessingRequest) {
		Expect(newBench(nil).serve(&stream{}, messages...)).To(MatchError(ContainSubstring("from Envoy")))
	},
	Entry("request headers twice", post(chatPath), post(chatPath)),
	Entry("a body first", requestBody("x", true)),
	Entry("trailers first", requestTrailers()),
	Entry("a body after the end", post(chatPath), requestBody(plainChat, true), requestBody("x", true)),
	Entry("trailers after the end", post(chatPath), requestBody(plainChat, true), requestTrailers()),
	Entry("an answer's body first", post(chatPath), responseBody("x", true)),
	Entry("an answer's trailers first", responseTrailers()),
	Entry("an answer's headers twice", responseHeaders(200, false), responseHeaders(200, false)),
	Entry("an answer without a status", responseHeaders(0, false, ":status", ""), withAttributes(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{}})),
	Entry("a request after an answer", responseHeaders(200, false), post(chatPath)),
)

var _ = It("ends when Envoy cannot be written to, at any message", func() {
	for failAt := 1; failAt <= 5; failAt++ {
		b := newBench(nil)
		messages := chat(plainChat, responseHeaders(200, false), responseBody("x", false), responseBody("y", true))
		Expect(b.serve(&stream{failAt: failAt}, messages...)).To(MatchError(io.ErrClosedPipe), "reply %d", failAt)
		Expect(b.budget.Held()).To(BeZero())
		Expect(b.counted("tars_requests_in_flight")).To(ConsistOf(HaveSuffix(" 0")))
	}
})

// pacedStream is a stream whose messages come at times.
type pacedStream struct {
	stream

	pauses []time.Duration // before each message, and before the end
}

func (s *pacedStream) next(*extprocv3.ProcessingRequest) {
	<-time.After(s.pauses[0])
	s.pauses = s.pauses[1:]
}

// slowly is a request whose body comes in so many pieces of a size.
func slowly(pieces, size int) []*extprocv3.ProcessingRequest {
	messages := []*extprocv3.ProcessingRequest{post(chatPath), requestBody(`{"model":"gpt","x":"`, false)}
	for range pieces {
		messages = append(messages, requestBody(strings.Repeat("x", size), false))
	}
	messages[len(messages)-1] = requestBody(strings.Repeat("x", size)+`"}`, true)
	return messages
}

// TestHoldTimeout runs in a bubble with its own clock.
func TestHoldTimeout(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages []*extprocv3.ProcessingRequest
		pauses   []time.Duration
		want     string
	}{
		{"a body that stops", []*extprocv3.ProcessingRequest{post(chatPath), requestBody(`{`, false), requestBody(`}`, true)},
			[]time.Duration{0, 0, server.HoldTimeout + 1, 0}, "answer 408"},
		{"a body that never begins", []*extprocv3.ProcessingRequest{post(chatPath)}, []time.Duration{0, time.Hour}, "answer 408"},
		{"empty pieces are no progress", []*extprocv3.ProcessingRequest{post(chatPath), requestBody("", false)},
			[]time.Duration{0, server.HoldTimeout - 1, 2}, "answer 408"},
		{"a slow body is let go", []*extprocv3.ProcessingRequest{post(chatPath), requestBody(`{"model":`, false), requestBody(`"gpt"`, false), requestBody(`}`, true)},
			[]time.Duration{0, server.HoldTimeout - 1, server.HoldTimeout - 1, server.HoldTimeout - 1, time.Hour}, "request headers"},
		{"a small body takes its time", slowly(3, 80_000), slices.Repeat([]time.Duration{server.HoldTimeout - 1}, 6), "request headers"},
		{"a large body that comes slowly is given up as a whole", append(slowly(2, 300_000)[:3], requestBody("x", false), requestBody("x", false), requestBody("x", false)),
			[]time.Duration{0, 1, 1, 20 * time.Second, 18 * time.Second, 2 * time.Second, 0}, "answer 408 .*too slowly: 300022 bytes in 39s"},
		{"a large body that comes slowly may be whole before that", append(slowly(2, 300_000)[:3], requestBody("x", false), requestBody(`"}`, true)),
			[]time.Duration{0, 1, 1, 20 * time.Second, 18 * time.Second, 0}, "request headers"},
		{"a large body that comes fast enough is let go", slowly(12, 150_000), slices.Repeat([]time.Duration{4 * time.Second}, 15), "request headers"},
		{"other paths have no such limit", []*extprocv3.ProcessingRequest{post("/v1/files"), requestBody("a", true)},
			[]time.Duration{0, time.Hour, 0}, "request headers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				RegisterTestingT(t)
				b := newBench(func(r *config.Route) {
					r.ForwardUnlistedPaths, r.MaxRequestBytes = true, 4<<20
				}, func(o *server.Options) { o.Budget = memory.NewBudget(4 << 20) })
				s := &pacedStream{pauses: c.pauses}
				if err := b.serve(s, c.messages...); err != nil {
					t.Fatal(err)
				}
				if len(s.replies) == 0 {
					t.Fatal("no reply")
				}
				Expect(describe(s.replies[0])).To(MatchRegexp("^" + c.want))
				if strings.HasPrefix(c.want, "answer 408") && len(s.replies) != 1 {
					t.Fatalf("%d replies follow the answer", len(s.replies)-1)
				}
				if b.budget.Held() != 0 {
					t.Fatalf("%d bytes are held", b.budget.Held())
				}
			})
		})
	}
}
