// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"net/http"
	"strings"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/wire"
)

// canaryBody says what a human who finds the path wants to know.
const canaryBody = `{"status":"ok","answeredBy":"tarsbackend external processor"}`

var errProbeMethod = errors.New("not GET or HEAD")

// canaryHeaders tell which configuration and which generation of the route a
// request met.
func (s *session) canaryHeaders() []header {
	return []header{
		{Name: config.HeaderConfigHash, Value: s.proc.hash},
		{Name: config.HeaderReplica, Value: s.proc.replica},
		{Name: "cache-control", Value: "no-store"},
	}
}

// answerCanary answers the operator's question: itself, and then nothing of it
// reaches TARS; or, for a ticket, with TARS's list of models as the key that
// Envoy puts on reaches it, which costs no token.
func (s *session) answerCanary(m *wire.Request, h headers) error {
	set := append(s.canaryHeaders(), header{Name: "content-type", Value: "application/json"})
	if ticket := h.get(config.HeaderProbe); ticket != "" {
		problem := s.proc.tickets.use(s.route.PassToken, ticket)
		if problem == nil && (s.req.method == http.MethodGet || s.req.method == http.MethodHead) {
			return s.forward(h, m.End, header{Name: "accept-encoding", Value: "identity"}, header{Name: ":path", Value: s.modelListPath()})
		}
		if problem == nil {
			problem = errProbeMethod
		}
		set = append(set, header{Name: config.HeaderProbe, Value: config.ProbeRefused},
			header{Name: config.HeaderProbeDetails, Value: problem.Error()})
	}
	s.answered = true
	return s.send(immediateResponse(http.StatusOK, set, []byte(canaryBody)))
}

// canaryAnswered stamps what came back for a canary that was let through, or
// that an earlier filter has answered. The body passes as it is.
func (s *session) canaryAnswered(m *wire.Request, details string) error {
	set := s.canaryHeaders()
	switch {
	case !s.forwarded:
	case details == "" || details == viaUpstream:
		set = append(set, header{Name: config.HeaderProbe, Value: config.ProbeFromTARS})
	default:
		set = append(set, header{Name: config.HeaderProbe, Value: config.ProbeFromGateway},
			header{Name: config.HeaderProbeDetails, Value: details})
	}
	h := newHeaders(m.Headers)
	if hash := h.get(config.HeaderRouteHash); hash != "" {
		// It comes from Envoy's route, which has replaced what TARS may have sent.
		set = append(set, header{Name: config.HeaderRouteHash, Value: hash})
	}
	return s.passHeaders(m, set, h.ours())
}

// modelListPath is the path of the list of models as the route takes it.
func (s *session) modelListPath() string {
	return strings.TrimSuffix(s.route.PathPrefix, "/") + "/v1/models"
}
