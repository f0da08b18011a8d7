// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tars-operator/tars-operator/extproc/apierror"
	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/policy"
	"github.com/tars-operator/tars-operator/extproc/usage"
	"github.com/tars-operator/tars-operator/extproc/wire"
)

// reader sees an answer's body pass.
type reader interface {
	// Pass reads p and returns what goes on to the client.
	Pass(p []byte) []byte
	// Close returns what is still held at the end.
	Close() []byte
}

// answer is how the body of an answer is treated.
type answer struct {
	reader reader
	guess  *usage.Guess // the reader, where the answer does not say what it is
	list   *heldList    // set when the answer lists models and is rewritten
}

func (a *answer) release() {
	if a.list != nil {
		a.list.buffer.Release()
		a.list = nil
	}
}

// close reads what a body that breaks off has come to.
func (a *answer) close() {
	a.release()
	if a.reader != nil {
		a.reader.Close()
		a.reader = nil
	}
}

// responseHeaders looks at where an answer comes from and what it is. A
// stream may begin with it: an earlier filter has answered, and we have not
// seen the request.
func (s *session) responseHeaders(m *wire.Request) error {
	if s.out != waiting {
		return unexpected("response headers")
	}
	first := s.in == waiting
	if first {
		s.read(m.Attribute(attrMethod), m.Attribute(attrPath), m.Attribute(attrRequestID))
	}
	h := newHeaders(m.Headers)
	status, err := strconv.Atoi(h.get(":status"))
	if err != nil {
		return unexpected("response status")
	}
	s.result.status = status
	details := m.Attribute(attrDetails)
	local := first || (details != "" && details != viaUpstream)
	s.endRequest(local || status >= http.StatusBadRequest)
	if s.req.canary {
		return s.canaryAnswered(m, details)
	}
	if local {
		s.local, s.reached = true, apierror.Reached(details)
		return s.gatewayAnswered(m, h, details)
	}
	return s.upstreamAnswered(m, h)
}

// endRequest ends a request that is still held, or that nobody reads any more, before its
// answer. One that passes or is sent on goes on beside an answer that came early.
func (s *session) endRequest(unread bool) {
	if s.in == waiting || s.in == holding {
		s.in, unread = ended, true
	}
	if unread {
		s.release()
		s.stream.Expect(0)
	}
}

// upstreamAnswered treats an answer of TARS.
func (s *session) upstreamAnswered(m *wire.Request, h headers) error {
	set := s.requestIDs(h)
	if s.result.status >= http.StatusBadRequest {
		s.result.source = config.ErrorSourceTARS
		s.result.class = usage.Class(s.result.status, nil)
		set = append(set, header{Name: config.HeaderErrorSource, Value: config.ErrorSourceTARS})
	}
	contentType := h.get("content-type")
	s.result.streamed = isEventStream(contentType)
	switch {
	case m.End || h.encoding() != "":
	case s.result.streamed:
		s.ans.reader = usage.NewStream(&s.tally, s.req.addedUsage)
	case isJSON(contentType):
		s.ans.reader = usage.NewBody(&s.tally)
	default: // whatever it calls itself: what is no JSON ends at its first byte
		s.ans.guess = usage.NewGuess(&s.tally, s.req.addedUsage)
		s.ans.reader = s.ans.guess
	}
	if s.rewritesModels() && !m.End {
		if encoding := h.encoding(); encoding != "" {
			return s.refuse(apierror.ListUnreadable("it is compressed although that was not asked for"))
		}
		return s.holdList(h, set)
	}
	return s.passHeaders(m, set, h.ours())
}

// requestIDs are the request's id under the names that the SDKs show it by,
// where TARS sends none: it is the id that TARS's logs know, and without it an
// app has nothing to name when it asks what became of a request.
func (s *session) requestIDs(h headers) []header {
	var set []header
	for _, name := range s.req.idHeaders() {
		if !h.has(name) {
			set = append(set, header{Name: name, Value: s.req.id})
		}
	}
	return set
}

// rewritesModels tells whether the answer is a list or an entry of models
// that apps must see otherwise than TARS sends it.
func (s *session) rewritesModels() bool {
	if s.result.status >= http.StatusMultipleChoices || s.req.method != http.MethodGet || s.route == nil {
		return false
	}
	return (s.req.target.Kind == policy.ModelList && s.route.models.Restricted()) || s.req.rename != ""
}

// passHeaders lets an answer's headers pass.
func (s *session) passHeaders(m *wire.Request, set []header, remove []string) error {
	s.out = passing
	if m.End {
		s.out = ended
	}
	return s.send(responseHeaders(set, remove))
}

// responseBody takes a piece of an answer's body.
func (s *session) responseBody(m *wire.Request) error {
	if s.result.firstByte == 0 && len(m.Body) > 0 {
		s.result.firstByte = time.Since(s.began)
		s.span.FirstByte()
	}
	switch s.out {
	case holding:
		return s.keepList(m)
	case passing:
		return s.passBody(m)
	default:
		return unexpected("response body")
	}
}

func (s *session) passBody(m *wire.Request) error {
	out := m.Body
	if s.ans.reader != nil {
		out = s.ans.reader.Pass(out)
	}
	if s.ans.guess != nil {
		s.result.streamed = s.ans.guess.Streamed()
	}
	if m.End {
		out = s.endBody(out)
		s.out = ended
	} else if len(out) == 0 && len(m.Body) > 0 && !s.toldNow() {
		return nil // an event that is not whole yet, or is taken out
	}
	return s.send(responsePiece(out, m.End))
}

// toldNow tells whether TARS has told usage that no reply carries yet, or has written
// more since: a client that hangs up now is to be charged that.
func (s *session) toldNow() bool {
	now, before := s.counts(), s.meta.facts.counts
	return now != before && (now.Known || before.Known)
}

// endBody closes the reader and adds what it still held.
func (s *session) endBody(out []byte) []byte {
	if s.ans.reader == nil {
		return out
	}
	if rest := s.ans.reader.Close(); len(rest) > 0 {
		out = append(slices.Clip(out), rest...)
	}
	s.ans.reader = nil
	s.tally.Whole()
	s.classify()
	return out
}

// classify sorts the error that TARS's answer held, if any.
func (s *session) classify() {
	if s.req.reads && s.req.target.Kind == policy.Unlisted && s.result.status < http.StatusBadRequest {
		return // what is read may have failed, the reading has not
	}
	if s.result.source == "" || s.result.source == config.ErrorSourceTARS {
		s.result.class = usage.Class(s.result.status, s.tally.Failure())
	}
}

// responseTrailers ends an answer that has trailers.
func (s *session) responseTrailers(m *wire.Request) error {
	switch s.out {
	case holding:
		if err := s.endList(false); err != nil || s.answered {
			return err
		}
	case passing:
		if rest := s.endBody(nil); len(rest) > 0 {
			if err := s.send(responsePiece(rest, false)); err != nil {
				return err
			}
		}
	default:
		return unexpected("response trailers")
	}
	s.out = ended
	return s.send(responseTrailers(newHeaders(m.Headers)))
}

// gatewayAnswered treats an answer that Envoy made: one in plain text
// becomes JSON of the shape that the caller reads, with its headers kept.
func (s *session) gatewayAnswered(m *wire.Request, h headers, details string) error {
	if s.result.status < http.StatusBadRequest {
		return s.passHeaders(m, nil, h.forCanaries())
	}
	e := apierror.FromGateway(s.result.status, details)
	if isJSON(h.get("content-type")) || s.route == nil || !knownStatus(e.Status) {
		if s.result.source = h.get(config.HeaderErrorSource); !slices.Contains(config.ErrorSources(), s.result.source) {
			s.result.source = e.Source
		}
		return s.passHeaders(m, append(s.requestIDs(h), header{Name: config.HeaderErrorSource, Value: s.result.source}), h.forCanaries())
	}
	e.Headers = append(kept(h), retryAfter(e.Status, h)...)
	return s.refuse(e)
}

// retryAfter says in HTTP's own words (RFC 9110, section 10.2.3) when a limit
// of the platform is reset. Envoy says it in x-ratelimit-reset alone, which the
// SDKs do not read: without retry-after they ask again within a second.
func retryAfter(status int, h headers) [][2]string {
	seconds, err := strconv.ParseUint(h.get("x-ratelimit-reset"), 10, 32)
	if status != http.StatusTooManyRequests || err != nil || h.has("retry-after") {
		return nil
	}
	return [][2]string{{"retry-after", strconv.FormatUint(seconds, 10)}}
}

// kept returns the headers of a local reply that survive its new body.
func kept(h headers) [][2]string {
	var keep [][2]string
	for _, v := range h.list {
		switch name := v.Name; name {
		case "content-type", "content-length", "content-encoding", "etag", "transfer-encoding", "connection", "date", "server",
			config.HeaderErrorSource, config.HeaderRouteHash:
		default:
			if name != "" && name[0] != ':' {
				keep = append(keep, [2]string{name, v.Value})
			}
		}
	}
	return keep
}
