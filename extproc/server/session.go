// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tars-operator/tars-operator/extproc/apierror"
	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/metrics"
	"github.com/tars-operator/tars-operator/extproc/policy"
	"github.com/tars-operator/tars-operator/extproc/trace"
	"github.com/tars-operator/tars-operator/extproc/usage"
	"github.com/tars-operator/tars-operator/extproc/wire"
)

// statusHungUp counts requests that ended before there was an answer, as
// access logs of other proxies do.
const statusHungUp = 499

// sessionCost is what a request takes of the budget as long as it lasts, in bytes: what its
// session takes of the memory beside a body. Tens of thousands that say nothing would
// otherwise fill it.
const sessionCost = 4 << 10

// keptFree is what of the headers a session may keep for that, in bytes.
const keptFree = 512

// replyRoom is enough for what a reply holds but for a piece of a body, in bytes.
const replyRoom = 512

// phase is how far a direction of the exchange is.
type phase uint8

const (
	waiting phase = iota // no headers yet
	holding              // headers came and are not answered yet
	passing              // headers were answered, the body passes
	ended                // everything was passed on
)

// session is one HTTP request. Its methods run in the goroutine of its
// connection; the timer of a held body is the only other one, hence the lock.
type session struct {
	proc   *Processor
	stream Stream
	began  time.Time

	mu        sync.Mutex
	req       request
	route     *route // nil until the path is known, and for unknown paths
	in        phase  // of the request
	out       phase  // of the response
	held      *heldBody
	sending   *outgoing // what was held, on its way to TARS
	charged   int64     // what is taken of the budget beside bodies
	received  int64     // bytes of the request's body
	answered  bool      // we gave the answer ourselves: nothing more is sent
	closed    bool
	prompt    int64 // tokens of the request's text, estimated
	forwarded bool  // the whole request went on to TARS
	local     bool  // Envoy answered, not TARS
	reached   bool  // but TARS may have had the request
	ans       answer
	tally     usage.Tally
	result    result
	meta      metadata
	span      *trace.Span
	scratch   []byte // what the last reply was written in
}

// result is what metrics say of the request.
type result struct {
	status    int
	source    string
	class     string
	refusal   string
	firstByte time.Duration
	streamed  bool
}

func newSession(p *Processor, stream Stream) *session {
	return &session{proc: p, stream: stream, began: time.Now(), scratch: make([]byte, 0, replyRoom)}
}

// Message implements transport.Handler: it serves one message of Envoy.
func (s *session) Message(text []byte, lent bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answered {
		return nil // what Envoy sent before it had our answer
	}
	msg, err := wire.Read(text)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	msg.Lent = lent
	err = s.serve(&msg)
	if !lent && !msg.Kept {
		memory.Recycle(text)
	}
	return err
}

// Full implements transport.Handler: the request is refused like one that there is no
// room to hold, an answer that has begun breaks off.
func (s *session) Full() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.answered:
		return nil
	case s.out != waiting:
		return status.Error(codes.ResourceExhausted, "no memory for a piece of the answer")
	default:
		return s.refuse(apierror.Overloaded())
	}
}

func (s *session) serve(msg *wire.Request) error {
	switch msg.Kind {
	case wire.RequestHeaders:
		return s.requestHeaders(msg)
	case wire.RequestBody:
		return s.requestBody(msg)
	case wire.RequestTrailers:
		return s.requestTrailers()
	case wire.ResponseHeaders:
		return s.responseHeaders(msg)
	case wire.ResponseBody:
		return s.responseBody(msg)
	case wire.ResponseTrailers:
		return s.responseTrailers(msg)
	default:
		return nil
	}
}

// unexpected is for messages in an order that the protocol rules out.
func unexpected(what string) error {
	return status.Errorf(codes.InvalidArgument, "unexpected %s from Envoy", what)
}

// send adds what is new in the metadata: what a client that hangs up is charged is
// the last that was sent.
func (s *session) send(reply *wire.Reply) error {
	reply.Namespace, reply.Metadata = config.MetadataNamespace, s.meta.news(s)
	head, body := reply.Append(s.scratch[:0])
	s.scratch = head
	if err := s.stream.Send(head, body); err != nil {
		return fmt.Errorf("writing to Envoy: %w", err)
	}
	return nil
}

// refuse answers the request in TARS's place.
func (s *session) refuse(e *apierror.Error) error {
	body, err := e.Body(s.req.shape, s.req.id)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	s.release()
	s.answered = true
	s.result = result{status: e.Status, source: e.Source, refusal: e.Code}
	s.proc.log.V(1).Info("request refused", "path", s.req.target.Label, "status", e.Status, "code", e.Code)
	return s.send(immediate(e, body, s.req))
}

// release gives up a held body.
func (s *session) release() {
	if s.held != nil {
		s.held.timer.Stop()
		s.held.buffer.Release()
		s.held = nil
	}
	if s.sending != nil {
		s.sending.buffer.Release()
		s.sending = nil
	}
}

// Close implements transport.Handler: it settles the request.
func (s *session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.release()
	s.proc.budget.Release(s.charged)
	s.ans.close()
	if s.route == nil || s.req.canary {
		return
	}
	r := s.settled()
	s.route.metrics.End(r)
	s.span.End(s.traced(r))
	s.proc.log.V(1).Info("request ended", "path", r.Path, "status", r.Status, "source", r.Source,
		"requestModel", r.RequestModel, "responseModel", r.ResponseModel, "errorClass", r.ErrorClass,
		"inputTokens", r.Counts.Input, "outputTokens", r.Counts.Output,
		"estimated", r.Counts.Estimated, "aborted", r.Aborted, "seconds", r.Duration.Seconds())
}

func (s *session) settled() metrics.Request {
	complete := s.answered || s.out == ended
	s.classify()
	r := metrics.Request{
		Path: s.req.target.Label, Status: s.result.status, Source: s.result.source, ErrorClass: s.result.class, Refusal: s.result.refusal,
		Counts: s.counts(), ResponseModel: s.tally.Model(), RequestModel: s.req.model,
		Aborted: !complete, Duration: time.Since(s.began), FirstByte: s.result.firstByte, Streamed: s.result.streamed,
		Provider: provider(s.req.shape),
	}
	if r.Status == 0 {
		r.Status = statusHungUp
	}
	if op := s.req.target.Operation; op != nil {
		r.Inference, r.Operation = true, op.Name
	}
	return r
}

// traced is what a span tells of a request.
func (s *session) traced(r metrics.Request) trace.Request {
	return trace.Request{
		TarsBackend: s.route.Name, Method: s.req.method, Path: r.Path, RequestID: s.req.id,
		Status: r.Status, Source: r.Source, ErrorType: r.ErrorType(),
		Operation: r.Operation, Provider: r.Provider, RequestModel: r.RequestModel, ResponseModel: r.ResponseModel,
		ServerAddress: s.route.ServerAddress, ServerPort: int(s.route.ServerPort),
		TokensKnown: r.Counts.Known, InputTokens: r.Counts.Input, OutputTokens: r.Counts.Output, Streamed: r.Streamed,
	}
}

// provider is gen_ai.provider.name: the flavour of API that is spoken.
func provider(shape policy.Shape) string {
	if shape == policy.Anthropic {
		return "anthropic"
	}
	return "openai"
}
