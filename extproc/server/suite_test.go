// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/metrics"
	"github.com/tars-operator/tars-operator/extproc/server"
	"github.com/tars-operator/tars-operator/extproc/transport"
)

func TestServer(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/server")
}

const (
	token      = "pass-token"
	canaryPath = "/v1/.well-known/tarsbackend/canary-token"
	chatPath   = "/v1/chat/completions"
	maxBytes   = 200_000
)

// bench is a processor with everything around it.
type bench struct {
	*server.Processor

	budget  *memory.Budget
	metrics *metrics.Metrics
}

// newBench changes a configuration without an allow-list.
func newBench(change func(*config.Route), options ...func(*server.Options)) *bench {
	r := config.Route{
		Name: "ns/name", PathPrefix: "/", ServerAddress: "tars.example.com", ServerPort: 443,
		PassToken: token, CanaryPath: canaryPath, MaxRequestBytes: maxBytes,
	}
	if change != nil {
		change(&r)
	}
	b := &bench{budget: memory.NewBudget(1 << 20)}
	o := server.Options{Hash: "hash-1", Replica: "pod-1", Log: logr.Discard()}
	o.Config = config.Config{Version: config.Version, Routes: []config.Route{r}}
	o.Budget = b.budget
	for _, option := range options {
		option(&o)
	}
	b.budget = o.Budget
	m, err := metrics.New(metrics.Options{Budget: o.Budget})
	Expect(err).NotTo(HaveOccurred())
	o.Metrics, b.metrics = m, m
	b.Processor = server.New(o)
	return b
}

func restricted(r *config.Route) {
	r.Allow = []string{"gpt-4o-mini", "claude-*"}
	r.Aliases = []config.Alias{{Name: "fast", Model: "xai/grok-4.5"}}
}

func forwarding(r *config.Route) { r.ForwardUnlistedPaths = true }

// stream is Envoy's end of a gRPC stream: it keeps the replies.
type stream struct {
	replies []*extprocv3.ProcessingResponse
	failAt  int // the n-th reply cannot be sent
	full    int // there is room for so many replies; 0: for all
	// expected are the sizes that were said to come.
	expected []int64
}

func (s *stream) Send(head, body []byte) error {
	if s.failAt > 0 && len(s.replies)+1 >= s.failAt {
		return io.ErrClosedPipe
	}
	reply := &extprocv3.ProcessingResponse{}
	if err := proto.Unmarshal(slices.Concat(head, body), reply); err != nil {
		return err
	}
	s.replies = append(s.replies, reply)
	return nil
}

func (s *stream) Expect(n int64) { s.expected = append(s.expected, n) }

func (s *stream) Room() bool { return s.full == 0 || len(s.replies) < s.full }

// watcher is a stream that is told of each message before it is played, and of
// the end by nil.
type watcher interface {
	next(m *extprocv3.ProcessingRequest)
}

// lent bounds the messages that transport lends.
const lent = 8 << 10

// deliver hands a message over as transport does: of a small one, the bytes are other
// ones afterwards.
func deliver(handler transport.Handler, text []byte) error {
	text = append(memory.Take(len(text)), text...)
	if len(text) > lent {
		return handler.Message(text, false)
	}
	err := handler.Message(text, true)
	for i := range text {
		text[i] = '#'
	}
	return err
}

// serve plays messages to the end of the stream, or to an error.
func (b *bench) serve(s server.Stream, messages ...*extprocv3.ProcessingRequest) error {
	next := func(*extprocv3.ProcessingRequest) {}
	if w, ok := s.(watcher); ok {
		next = w.next
	}
	handler := b.Open(s)
	defer handler.Close()
	for _, m := range messages {
		next(m)
		text, err := proto.Marshal(m)
		if err != nil {
			return err
		}
		if err := deliver(handler, text); err != nil {
			return err
		}
	}
	next(nil)
	return nil
}

// play runs one exchange to its end and returns the replies.
func (b *bench) play(messages ...*extprocv3.ProcessingRequest) []*extprocv3.ProcessingResponse {
	GinkgoHelper()
	s := &stream{}
	Expect(b.serve(s, messages...)).To(Succeed())
	Expect(b.budget.Held()).To(BeZero(), "everything held is given back")
	return s.replies
}

// talk is play, with the replies in words.
func (b *bench) talk(messages ...*extprocv3.ProcessingRequest) []string {
	GinkgoHelper()
	var words []string
	for _, reply := range b.play(messages...) {
		words = append(words, describe(reply))
	}
	return words
}

// counted returns the metrics that begin so, without counters at 0.
func (b *bench) counted(prefix string) []string {
	rec := httptest.NewRecorder()
	b.metrics.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	var lines []string
	for line := range strings.Lines(rec.Body.String()) {
		counter := strings.Contains(line, "_total{")
		if strings.HasPrefix(line, prefix) && !(counter && strings.HasSuffix(line, " 0\n")) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// same compares long texts that nobody wants to see in a failure.
func same(a, b string) bool { return a == b }

func headerMap(pairs []string) *corev3.HeaderMap {
	m := &corev3.HeaderMap{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: pairs[i], RawValue: []byte(pairs[i+1])})
	}
	return m
}

func requestHeaders(end bool, pairs ...string) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{
		RequestHeaders: &extprocv3.HttpHeaders{Headers: headerMap(pairs), EndOfStream: end},
	}}
}

// post is a request for a model, with further headers.
func post(path string, pairs ...string) *extprocv3.ProcessingRequest {
	return requestHeaders(false, append([]string{
		":method", "POST", ":path", path, "x-request-id", "id-1", "content-type", "application/json",
	}, pairs...)...)
}

func get(path string, pairs ...string) *extprocv3.ProcessingRequest {
	return requestHeaders(true, append([]string{":method", "GET", ":path", path, "x-request-id", "id-1"}, pairs...)...)
}

func requestBody(text string, end bool) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{
		RequestBody: &extprocv3.HttpBody{Body: []byte(text), EndOfStream: end},
	}}
}

func requestTrailers(pairs ...string) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestTrailers{
		RequestTrailers: &extprocv3.HttpTrailers{Trailers: headerMap(pairs)},
	}}
}

// responseHeaders are those of an answer that tells its request's id: nothing
// has to be added to it.
func responseHeaders(status int, end bool, pairs ...string) *extprocv3.ProcessingRequest {
	return bareResponseHeaders(status, end, append(pairs, "x-request-id", "id-of-tars", "request-id", "id-of-tars")...)
}

// bareResponseHeaders are those of an answer of the upstream.
func bareResponseHeaders(status int, end bool, pairs ...string) *extprocv3.ProcessingRequest {
	return withAttributes(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{
		ResponseHeaders: &extprocv3.HttpHeaders{
			Headers: headerMap(append([]string{":status", strconv.Itoa(status)}, pairs...)), EndOfStream: end,
		},
	}}, "response.code_details", "via_upstream")
}

func responseBody(text string, end bool) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{
		ResponseBody: &extprocv3.HttpBody{Body: []byte(text), EndOfStream: end},
	}}
}

func responseTrailers(pairs ...string) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseTrailers{
		ResponseTrailers: &extprocv3.HttpTrailers{Trailers: headerMap(pairs)},
	}}
}

func withAttributes(m *extprocv3.ProcessingRequest, pairs ...string) *extprocv3.ProcessingRequest {
	fields := map[string]*structpb.Value{}
	for i := 0; i+1 < len(pairs); i += 2 {
		fields[pairs[i]] = structpb.NewStringValue(pairs[i+1])
	}
	m.Attributes = map[string]*structpb.Struct{"envoy.filters.http.ext_proc": {Fields: fields}}
	return m
}

// describe puts a reply into words.
func describe(m *extprocv3.ProcessingResponse) string {
	switch r := m.GetResponse().(type) {
	case *extprocv3.ProcessingResponse_RequestHeaders:
		return "request headers" + describeHeaders(r.RequestHeaders.GetResponse())
	case *extprocv3.ProcessingResponse_ResponseHeaders:
		return "response headers" + describeHeaders(r.ResponseHeaders.GetResponse())
	case *extprocv3.ProcessingResponse_RequestBody:
		return "request" + describePiece(r.RequestBody.GetResponse())
	case *extprocv3.ProcessingResponse_ResponseBody:
		return "response" + describePiece(r.ResponseBody.GetResponse())
	case *extprocv3.ProcessingResponse_RequestTrailers:
		return "request trailers" + describeMutation(r.RequestTrailers.GetHeaderMutation())
	case *extprocv3.ProcessingResponse_ResponseTrailers:
		return "response trailers" + describeMutation(r.ResponseTrailers.GetHeaderMutation())
	case *extprocv3.ProcessingResponse_ImmediateResponse:
		return fmt.Sprintf("answer %d", r.ImmediateResponse.GetStatus().GetCode()) +
			describeMutation(r.ImmediateResponse.GetHeaders()) + " " + string(r.ImmediateResponse.GetBody())
	default:
		return fmt.Sprintf("unknown %T", r)
	}
}

func describeHeaders(r *extprocv3.CommonResponse) string {
	text := describeMutation(r.GetHeaderMutation())
	if r.GetClearRouteCache() {
		text += " route again"
	}
	return text
}

func describeMutation(m *extprocv3.HeaderMutation) string {
	text := ""
	for _, h := range m.GetSetHeaders() {
		equals := "="
		if h.GetAppend().GetValue() { //nolint:staticcheck // Envoy looks at nothing else
			equals = "+="
		}
		text += " " + h.GetHeader().GetKey() + equals + string(h.GetHeader().GetRawValue())
	}
	for _, name := range m.GetRemoveHeaders() {
		text += " -" + name
	}
	return text
}

func describePiece(r *extprocv3.CommonResponse) string {
	piece := r.GetBodyMutation().GetStreamedResponse()
	text := " " + string(piece.GetBody())
	if piece.GetEndOfStream() {
		text += "$"
	}
	return text
}
