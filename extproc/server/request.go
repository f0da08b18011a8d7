// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tars-operator/tars-operator/extproc/apierror"
	"github.com/tars-operator/tars-operator/extproc/policy"
	"github.com/tars-operator/tars-operator/extproc/trace"
	"github.com/tars-operator/tars-operator/extproc/wire"
)

// request is what the headers of a request tell.
type request struct {
	method string
	reads  bool   // runs no model
	path   string // as sent, without the query
	query  string // with its question mark
	id     string
	target policy.Target
	shape  policy.Shape
	canary bool
	// asked is the model of the request, model the one that TARS is asked
	// for.
	asked, model string
	// addedUsage tells that we asked for the usage chunk of a stream.
	addedUsage bool
	// rename is the alias that a model's entry is to be called.
	rename string
}

// size is what the texts of a request take, in bytes.
func (r request) size() int64 {
	return int64(len(r.method) + len(r.path) + len(r.query) + len(r.id) + len(r.target.Model))
}

// idHeaders are the names under which the SDKs look for the id of a request,
// none when it has none.
func (r request) idHeaders() []string {
	switch {
	case r.id == "":
		return nil
	case r.shape == policy.Anthropic:
		return []string{"x-request-id", "request-id"}
	default:
		return []string{"x-request-id"}
	}
}

// read fills in what the headers or, for an answer without a request, the
// attributes tell.
func (s *session) read(method, path, id string) {
	s.req, s.route = s.proc.read(method, path, id)
	s.tally.InputOnly = s.req.target.Operation != nil && s.req.target.Operation.InputOnly
	if s.route != nil && !s.req.canary {
		s.route.metrics.Begin()
	}
}

// read finds out what a request asks for, and the route that it is on, nil for
// none.
func (p *Processor) read(method, path, id string) (request, *route) {
	// They are parts of one text, that of all headers: it would live as long as they do.
	req := request{method: strings.Clone(method), id: strings.Clone(id), reads: slices.Contains(reading, method)}
	path, query := strings.Clone(path), ""
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path, query = path[:i], path[i:]
	}
	req.path, req.query = path, query
	prefix := "/"
	r := p.route(req.path)
	if r != nil {
		prefix = r.PathPrefix
		req.canary = req.path == r.CanaryPath
	}
	req.target = policy.Classify(prefix, req.path)
	req.shape = req.target.Shape
	return req, r
}

// speaks tells the API by a header of Anthropic's SDKs where the path does not.
func (r *request) speaks(anthropicVersion string) {
	if r.target.Operation == nil && anthropicVersion != "" {
		r.shape = policy.Anthropic
	}
}

// requestHeaders decides what becomes of a request.
func (s *session) requestHeaders(m *wire.Request) error {
	if s.in != waiting || s.out != waiting {
		return unexpected("request headers")
	}
	h := newHeaders(m.Headers)
	s.read(h.get(":method"), h.get(":path"), h.get("x-request-id"))
	s.req.speaks(h.get("anthropic-version"))
	s.in = holding
	if s.req.canary {
		return s.answerCanary(m, h)
	}
	state := strings.Join(h.all(trace.Tracestate), ",")
	cost := sessionCost + max(0, s.req.size()+h.oursSize()+int64(len(state))-keptFree)
	if !s.proc.budget.Acquire(cost) {
		return s.refuse(apierror.Overloaded())
	}
	s.charged = cost
	// The span keeps parts of the state: not of the text of all headers, see read.
	s.span = s.proc.tracer.Start(h.get(trace.Traceparent), strings.Clone(state), s.began)
	if s.route == nil {
		return s.refuse(apierror.PathNotServed(s.req.method, s.req.path))
	}
	length, err := strconv.ParseInt(h.get("content-length"), 10, 64)
	if err == nil && length > s.route.MaxRequestBytes {
		return s.refuse(apierror.TooLarge(s.route.MaxRequestBytes))
	}
	switch s.req.target.Kind {
	case policy.Inference:
		return s.inference(h, m.End)
	case policy.ModelList, policy.ModelInfo:
		return s.models(h, m.End)
	case policy.Unlisted:
		if s.route.ForwardUnlistedPaths {
			return s.forward(h, m.End, s.readable()...)
		}
	case policy.Disguised: // never served
	}
	return s.refuse(apierror.PathNotServed(s.req.method, s.req.path))
}

// inference holds a request until its body tells the model.
func (s *session) inference(h headers, bodiless bool) error {
	if e := s.checkInference(h, bodiless); e != nil {
		return s.refuse(e)
	}
	s.hold(h)
	return nil
}

func (s *session) checkInference(h headers, bodiless bool) *apierror.Error {
	switch {
	case s.req.method != http.MethodPost:
		return apierror.MethodNotAllowed(s.req.method, s.req.path, http.MethodPost)
	case h.has("upgrade"):
		return apierror.UpgradeNotSupported(s.req.path)
	case !allJSON(h.all("content-type")):
		return apierror.NotJSON(strings.Join(h.all("content-type"), ", "))
	}
	if encoding := h.encoding(); encoding != "" {
		return apierror.Compressed(encoding)
	}
	if bodiless {
		return apierror.MissingBody()
	}
	return nil
}

// models lets the reading of models pass.
func (s *session) models(h headers, bodiless bool) error {
	if s.req.method != http.MethodGet && s.req.method != http.MethodHead {
		return s.refuse(apierror.MethodNotAllowed(s.req.method, s.req.target.Label, "GET, HEAD"))
	}
	if s.req.target.Kind == policy.ModelList {
		return s.forward(h, bodiless, header{Name: "accept-encoding", Value: "identity"})
	}
	name := s.req.target.Model
	model, ok := s.route.models.Resolve(name)
	if !ok {
		return s.refuse(apierror.ModelNotFound(name, s.route.models.Allowed()))
	}
	set := []header{{Name: "accept-encoding", Value: "identity"}}
	if model != name {
		s.req.rename = name
		set = append(set, header{Name: ":path", Value: s.modelPath(model)})
	}
	return s.forward(h, bodiless, set...)
}

// modelPath is the path of the target of an alias. The client's own query
// goes along.
func (s *session) modelPath(model string) string {
	segments := strings.Split(model, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
	}
	return s.modelListPath() + "/" + strings.Join(segments, "/") + s.req.query
}

// forward lets a request pass as it comes, but for an upgrade: TARS speaks
// HTTP/2, in which Envoy could only ask for one by an extension that TARS does
// not offer.
func (s *session) forward(h headers, bodiless bool, set ...header) error {
	if h.has("upgrade") {
		return s.refuse(apierror.UpgradeNotSupported(s.req.path))
	}
	s.in = passing
	if bodiless {
		s.in = ended
	}
	s.forwarded = true
	remove := h.ours()
	if (s.req.target.Kind == policy.ModelList || s.req.rename != "") && h.has("range") {
		remove = append(remove, "range") // a part of it could not be rewritten
	}
	if s.rewritesModels() { // TARS does not know of a change of the policy
		remove = append(remove, h.named("if-none-match", "if-modified-since")...)
	}
	return s.send(s.passOn(remove, set...))
}

// readable asks for an answer that is not compressed, where its usage is to be read.
func (s *session) readable() []header {
	if s.req.reads {
		return nil
	}
	return []header{{Name: "accept-encoding", Value: "identity"}}
}

// requestBody takes a piece of a request's body.
func (s *session) requestBody(m *wire.Request) error {
	s.received += int64(len(m.Body))
	switch s.in {
	case holding:
		return s.holdBody(m)
	case passing:
		if s.received > s.route.MaxRequestBytes {
			return s.refuse(apierror.TooLarge(s.route.MaxRequestBytes))
		}
		if m.End {
			s.in = ended
		}
		return s.send(requestPiece(m.Body, m.End))
	case ended:
		if s.out != waiting {
			return nil // the gateway has answered; nobody waits for the body
		}
	case waiting: // no headers came
	}
	return unexpected("request body")
}

// requestTrailers refuses: behind a retry policy, Envoy (1.39) sends
// the body of a request with trailers twice in this mode. Nobody's SDK sends
// trailers, and HTTP/1 ones do not get here.
func (s *session) requestTrailers() error {
	switch {
	case s.in == holding && s.held != nil, s.in == passing:
		return s.refuse(apierror.TrailersNotSupported())
	case s.in == ended && s.out != waiting:
		return nil // the gateway has answered; nobody waits for the request
	}
	return unexpected("request trailers")
}

// allJSON tells whether there is a content type and each one is JSON in
// UTF-8.
func allJSON(types []string) bool {
	for _, value := range types {
		if !isJSON(value) {
			return false
		}
	}
	return len(types) > 0
}
