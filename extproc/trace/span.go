// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/tars-operator/tars-operator/extproc/genai"
)

// Headers of W3C Trace Context.
const (
	Traceparent = "traceparent"
	Tracestate  = "tracestate"
)

// firstByteEvent marks the first byte of an answer's body.
const firstByteEvent = "first byte"

// Tracer makes spans. A nil one makes none.
type Tracer struct {
	provider   *sdktrace.TracerProvider
	tracer     oteltrace.Tracer
	propagator propagation.TraceContext
}

func newTracer(provider *sdktrace.TracerProvider) *Tracer {
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/tars-operator/tars-operator/extproc")}
}

// Shutdown exports what is left.
func (t *Tracer) Shutdown(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("exporting the last traces: %w", err)
	}
	return nil
}

// Span is that of one request. A nil one does nothing.
type Span struct {
	tracer *Tracer
	ctx    context.Context //nolint:containedctx // it carries the span, not a deadline
	span   oteltrace.Span
}

// Start begins a span of a request that came at a time, with its headers
// traceparent and tracestate.
func (t *Tracer) Start(traceparent, tracestate string, at time.Time) *Span {
	if t == nil {
		return nil
	}
	parent := t.propagator.Extract(context.Background(), propagation.MapCarrier{Traceparent: traceparent, Tracestate: tracestate})
	ctx, span := t.tracer.Start(parent, "request", oteltrace.WithTimestamp(at), oteltrace.WithSpanKind(oteltrace.SpanKindClient))
	return &Span{tracer: t, ctx: ctx, span: span}
}

// Headers are those that make the span the parent of TARS's own; names and
// values.
func (s *Span) Headers() map[string]string {
	if s == nil {
		return nil
	}
	carrier := propagation.MapCarrier{}
	s.tracer.propagator.Inject(s.ctx, carrier)
	return carrier
}

// FirstByte marks the first byte of the answer's body.
func (s *Span) FirstByte() {
	if s != nil {
		s.span.AddEvent(firstByteEvent)
	}
}

// Request is what is known of a request at its end. Empty values are left out.
type Request struct {
	// TarsBackend is "<namespace>/<name>".
	TarsBackend string
	// Method and Path are the request's; the path is one of few labels.
	Method, Path string
	// RequestID is the value of x-request-id.
	RequestID string
	// Status is the HTTP status, Source the layer that answered an error,
	// ErrorType OpenTelemetry's error.type.
	Status            int
	Source, ErrorType string
	// Operation, Provider and the models are those of package genai; without an
	// operation, there is none of them.
	Operation, Provider         string
	RequestModel, ResponseModel string
	// ServerAddress and ServerPort are the endpoint's.
	ServerAddress string
	ServerPort    int
	// TokensKnown tells that the answer told the tokens.
	TokensKnown               bool
	InputTokens, OutputTokens int64
	// Streamed tells that the answer was a stream.
	Streamed bool
}

// methods are those of OpenTelemetry's http.request.method that are served; a client
// may write anything.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// method is http.request.method.
func (r Request) method() string {
	if r.Method == "" || slices.Contains(methods, r.Method) {
		return r.Method
	}
	return "_OTHER"
}

// name is that of the span by the conventions: the operation and the model, or
// the method and the path.
func (r Request) name() string {
	if r.Operation == "" {
		return r.method() + " " + r.Path
	}
	return strings.TrimSpace(r.Operation + " " + r.RequestModel)
}

// End ends the span.
func (s *Span) End(r Request) {
	if s == nil {
		return
	}
	s.span.SetName(r.name())
	if r.Operation == "" {
		r.Provider = ""
	}
	for name, value := range map[string]string{
		genai.OperationName: r.Operation, genai.ProviderName: r.Provider,
		genai.RequestModel: r.RequestModel, genai.ResponseModel: r.ResponseModel,
		genai.ServerAddress: r.ServerAddress, genai.ErrorType: r.ErrorType,
		"http.request.method": r.method(), "http.route": r.Path, "tarsbackend.name": r.TarsBackend,
		"tarsbackend.request.id": r.RequestID, "tarsbackend.error.source": r.Source,
	} {
		if value != "" {
			// One that is no UTF-8 would lose all spans that are exported with it.
			s.span.SetAttributes(attribute.String(name, strings.ToValidUTF8(value, "?")))
		}
	}
	s.span.SetAttributes(attribute.Int("http.response.status_code", r.Status), attribute.Int(genai.ServerPort, r.ServerPort),
		attribute.Bool("tarsbackend.stream", r.Streamed))
	if r.TokensKnown {
		s.span.SetAttributes(attribute.Int64(genai.InputTokens, r.InputTokens), attribute.Int64(genai.OutputTokens, r.OutputTokens))
	}
	if r.ErrorType != "" || r.Status >= http.StatusBadRequest {
		s.span.SetStatus(codes.Error, r.ErrorType)
	}
	s.span.End()
}
