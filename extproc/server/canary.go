// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"net/http"
	"strings"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/routemeta"
)

// canaryBody says what a human who finds the path wants to know.
const canaryBody = `{"status":"ok","answeredBy":"tarsbackend external processor"}`

var errProbeMethod = errors.New("not GET or HEAD")

// canaryHeaders tell which configuration and which generation of the route a
// request met.
func (s *session) canaryHeaders(attrs attributes) []header {
	return []header{
		{config.HeaderConfigHash, s.proc.hash},
		{config.HeaderRouteHash, routemeta.String(attrs.text(attrRouteMetadata), config.RouteHashMetadataKey)},
		{config.HeaderReplica, s.proc.replica},
		{"cache-control", "no-store"},
	}
}

// answerCanary answers the operator's question: itself, and then nothing of it
// reaches TARS; or, for a ticket, with TARS's list of models as the key that
// Envoy puts on reaches it, which costs no token.
func (s *session) answerCanary(h headers, attrs attributes, bodiless bool) error {
	set := append(s.canaryHeaders(attrs), header{"content-type", "application/json"})
	if ticket := h.get(config.HeaderProbe); ticket != "" {
		problem := s.proc.tickets.use(s.route.PassToken, ticket)
		if problem == nil && (s.req.method == http.MethodGet || s.req.method == http.MethodHead) {
			return s.forward(h, bodiless, header{"accept-encoding", "identity"}, header{":path", s.modelListPath()})
		}
		if problem == nil {
			problem = errProbeMethod
		}
		set = append(set, header{config.HeaderProbe, config.ProbeRefused}, header{config.HeaderProbeDetails, problem.Error()})
	}
	s.answered = true
	return s.send(immediateResponse(http.StatusOK, set, []byte(canaryBody)))
}

// canaryAnswered stamps what came back for a canary that was let through, or
// that an earlier filter has answered. The body passes as it is.
func (s *session) canaryAnswered(m *extprocv3.HttpHeaders, attrs attributes, details string) error {
	set := s.canaryHeaders(attrs)
	switch {
	case !s.forwarded:
	case details == "" || details == viaUpstream:
		set = append(set, header{config.HeaderProbe, config.ProbeFromTARS})
	default:
		set = append(set, header{config.HeaderProbe, config.ProbeFromGateway}, header{config.HeaderProbeDetails, details})
	}
	return s.passHeaders(m, set, newHeaders(m.GetHeaders()).ours())
}

// modelListPath is the path of the list of models as the route takes it.
func (s *session) modelListPath() string {
	return strings.TrimSuffix(s.route.PathPrefix, "/") + "/v1/models"
}
