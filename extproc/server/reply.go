// SPDX-License-Identifier: Apache-2.0

package server

import (
	"math"
	"net/http"

	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/tars-operator/tars-operator/extproc/apierror"
	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/wire"
)

// passOn answers a request's headers: the one rule of the route that has a
// backend is chosen by the pass header, so the route is chosen again. Headers of ours
// that a client sent are to be removed.
func (s *session) passOn(remove []string, set ...header) *wire.Reply {
	set = append(set, header{Name: config.HeaderPass, Value: s.route.PassToken})
	for name, value := range s.span.Headers() {
		set = append(set, header{Name: name, Value: value})
	}
	return &wire.Reply{Kind: wire.RequestHeaders, Set: set, Remove: remove, ClearRouteCache: true}
}

func requestPiece(p []byte, last bool) *wire.Reply {
	return &wire.Reply{Kind: wire.RequestBody, Body: p, Last: last}
}

func responsePiece(p []byte, last bool) *wire.Reply {
	return &wire.Reply{Kind: wire.ResponseBody, Body: p, Last: last}
}

// responseTrailers lets trailers pass, but for headers of ours.
func responseTrailers(trailers headers) *wire.Reply {
	return &wire.Reply{Kind: wire.ResponseTrailers, Remove: trailers.ours()}
}

func responseHeaders(set []header, remove []string) *wire.Reply {
	return &wire.Reply{Kind: wire.ResponseHeaders, Set: set, Remove: remove}
}

// immediate is an answer of ours.
func immediate(e *apierror.Error, body []byte, req request) *wire.Reply {
	r := immediateResponse(e.Status, errorHeaders(e, req), body)
	r.Remove = []string{config.HeaderRouteHash} // which the route puts on answers of ours, too
	return r
}

// errorHeaders are those of an answer of ours.
func errorHeaders(e *apierror.Error, req request) []header {
	set := []header{{Name: "content-type", Value: "application/json"}, {Name: config.HeaderErrorSource, Value: e.Source}}
	for _, name := range req.idHeaders() {
		set = append(set, header{Name: name, Value: req.id})
	}
	if req.id != "" {
		// As TARS's answers name it.
		set = append(set, header{Name: "x-client-request-id", Value: req.id})
	}
	ours := headers{list: set}
	for _, h := range e.Headers {
		if !ours.has(h[0]) {
			set = append(set, header{Name: h[0], Value: h[1]})
		}
	}
	return set
}

func immediateResponse(code int, set []header, body []byte) *wire.Reply {
	return &wire.Reply{Status: int(statusCode(code)), Set: set, Body: body, Details: "tarsbackend"}
}

// knownStatus tells whether Envoy accepts the status in an answer of ours.
func knownStatus(status int) bool {
	return status >= http.StatusOK && statusCode(status) != typev3.StatusCode_Empty
}

// statusCode is Envoy's name of a status, Empty for one that it has no name
// for.
func statusCode(status int) typev3.StatusCode {
	if status < 0 || status > math.MaxInt16 {
		return typev3.StatusCode_Empty
	}
	code := typev3.StatusCode(status)
	if _, ok := typev3.StatusCode_name[int32(code)]; !ok {
		return typev3.StatusCode_Empty
	}
	return code
}
