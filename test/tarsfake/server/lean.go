// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

const (
	// leanModel is the model that always answers.
	leanModel = "gpt-4o-mini"
	// leanChunk is a chunk as OpenAI sends them, with padding at its end that hides how
	// long contents are.
	leanChunk = `data: {"id":"chatcmpl-lean","object":"chat.completion.chunk","created":1700000000,"model":"` + leanModel +
		`","service_tier":"default","system_fingerprint":"fp_lean","choices":[{"index":0,"delta":{%s},"logprobs":null,` +
		`"finish_reason":%s}],"usage":null,"obfuscation":"%s"}` + "\n\n"
	leanUsage = `"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":0}}`
	leanLast  = `data: {"id":"chatcmpl-lean","object":"chat.completion.chunk","created":1700000000,"model":"` + leanModel +
		`","choices":[],` + leanUsage + "}\n\ndata: [DONE]\n\n"
	leanDocument = `{"id":"chatcmpl-lean","object":"chat.completion","created":1700000000,"model":"` + leanModel +
		`","choices":[{"index":0,"message":{"role":"assistant","content":"words"},"finish_reason":"stop"}],` + leanUsage + "}"
)

// A stream of OpenAI's begins with a chunk that tells the role and ends with one that
// tells why; those in between have content.
var (
	leanFirst  = fmt.Sprintf(leanChunk, `"role":"assistant","content":"","refusal":null`, "null", "a8Zk")
	leanPieces = []string{
		fmt.Sprintf(leanChunk, `"content":" word"`, "null", "q3"), fmt.Sprintf(leanChunk, `"content":" of"`, "null", "Xb71"),
		fmt.Sprintf(leanChunk, `"content":" several"`, "null", ""), fmt.Sprintf(leanChunk, `"content":","`, "null", "nP0dS"),
		fmt.Sprintf(leanChunk, `"content":" longer"`, "null", "t"), fmt.Sprintf(leanChunk, `"content":"\n\n"`, "null", "Lw6"),
	}
	leanStop = fmt.Sprintf(leanChunk, "", `"stop"`, "Jm2y9c")
)

// leanBuffers are for reading bodies; they are larger than io.Copy's.
var leanBuffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// serveLean answers a chat completion for load tests: it reads the body without
// looking at it. The headers x-fake-chunks and x-fake-gap make the answer a
// stream. Each answer tells another usage, and the ledger has the sums.
func (s *Server) serveLean(w http.ResponseWriter, r *http.Request) {
	b, err := behaviour.Parse(behaviour.FromHeader(r.Header))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n, err := discard(r.Body)
	if err != nil {
		s.options.Log.Debug("A client left while sending its request", "error", err)
		return
	}
	number := s.lean.Add(1)
	usage := tokens.Usage{Input: 10 + number%89, Output: 2 + number%53}
	s.Ledger.Add(ledger.Entry{
		Path: r.URL.Path, ModelAnswered: leanModel, Status: http.StatusOK, Outcome: ledger.Complete, BodyBytes: n, Usage: &usage, UsageSent: true,
	})
	if err := answerLean(w, b, usage); err != nil {
		s.options.Log.Debug("A client left before its answer", "error", err)
	}
}

func discard(body io.Reader) (int64, error) {
	buffer, ok := leanBuffers.Get().(*[256 << 10]byte)
	if !ok {
		return 0, fmt.Errorf("the pool holds %T", buffer)
	}
	defer leanBuffers.Put(buffer)
	// Without its ReadFrom, which has a buffer of its own.
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, body, buffer[:])
}

func answerLean(w http.ResponseWriter, b behaviour.Behaviour, usage tokens.Usage) error {
	if b.Chunks == 0 {
		w.Header().Set("content-type", jsonType)
		_, err := fmt.Fprintf(w, leanDocument, usage.Input, usage.Output, usage.Total())
		return err
	}
	w.Header().Set("content-type", streamType)
	control := http.NewResponseController(w)
	for i := range b.Chunks {
		if i > 0 && b.Gap > 0 {
			<-time.After(b.Gap)
		}
		if _, err := io.WriteString(w, leanPiece(i, b.Chunks)); err != nil {
			return err
		}
		if err := control.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, leanLast, usage.Input, usage.Output, usage.Total())
	return err
}

// leanPiece is a chunk of a stream of so many.
func leanPiece(i, chunks int) string {
	switch i {
	case 0:
		return leanFirst
	case chunks - 1:
		return leanStop
	default:
		return leanPieces[i%len(leanPieces)]
	}
}
