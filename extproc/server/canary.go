// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/routemeta"
)

// canaryBody says what a human who finds the path wants to know.
const canaryBody = `{"status":"ok","answeredBy":"tarsbackend external processor"}`

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

// answerCanary answers the operator's question itself: nothing of it reaches
// TARS.
func (s *session) answerCanary(attrs attributes) error {
	s.answered = true
	set := append(s.canaryHeaders(attrs), header{"content-type", "application/json"})
	return s.send(immediateResponse(http.StatusOK, set, []byte(canaryBody)))
}
