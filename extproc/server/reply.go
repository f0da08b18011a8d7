// SPDX-License-Identifier: Apache-2.0

package server

import (
	"math"
	"net/http"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/tars-operator/tars-operator/extproc/apierror"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// header is a name and a value to set.
type header struct{ name, value string }

// mutation sets and removes headers. A set header replaces every value that
// there is.
func mutation(set []header, remove []string) *extprocv3.HeaderMutation {
	m := &extprocv3.HeaderMutation{RemoveHeaders: remove}
	for _, h := range set {
		m.SetHeaders = append(m.SetHeaders, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: h.name, RawValue: []byte(h.value)},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return m
}

// passOn answers a request's headers: the one rule of the route that has a
// backend is chosen by the pass header, so the route is chosen again. No
// header of ours that a client sent survives.
func (s *session) passOn(h headers, set ...header) *extprocv3.ProcessingResponse {
	set = append(set, header{config.HeaderPass, s.route.PassToken})
	for name, value := range s.span.Headers() {
		set = append(set, header{name, value})
	}
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestHeaders{
		RequestHeaders: &extprocv3.HeadersResponse{Response: &extprocv3.CommonResponse{
			HeaderMutation:  mutation(set, h.ours()),
			ClearRouteCache: true,
		}},
	}}
}

// pieceReply is everything that a piece of a body is wrapped in, as one object:
// pieces are most of what is sent.
type pieceReply struct {
	message  extprocv3.ProcessingResponse
	body     extprocv3.BodyResponse
	common   extprocv3.CommonResponse
	mutation extprocv3.BodyMutation
	streamed extprocv3.BodyMutation_StreamedResponse
	piece    extprocv3.StreamedBodyResponse
}

func newPiece(p []byte, last bool) *pieceReply {
	r := &pieceReply{}
	r.piece.Body, r.piece.EndOfStream = p, last
	r.streamed.StreamedResponse = &r.piece
	r.mutation.Mutation = &r.streamed
	r.common.BodyMutation = &r.mutation
	r.body.Response = &r.common
	return r
}

func requestPiece(p []byte, last bool) *extprocv3.ProcessingResponse {
	r := newPiece(p, last)
	r.message.Response = &extprocv3.ProcessingResponse_RequestBody{RequestBody: &r.body}
	return &r.message
}

func responsePiece(p []byte, last bool) *extprocv3.ProcessingResponse {
	r := newPiece(p, last)
	r.message.Response = &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &r.body}
	return &r.message
}

// responseTrailers lets trailers pass, but for headers of ours.
func responseTrailers(t *extprocv3.HttpTrailers) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseTrailers{
		ResponseTrailers: &extprocv3.TrailersResponse{
			HeaderMutation: mutation(nil, newHeaders(t.GetTrailers()).ours()),
		},
	}}
}

func responseHeaders(set []header, remove []string) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseHeaders{
		ResponseHeaders: &extprocv3.HeadersResponse{Response: &extprocv3.CommonResponse{
			HeaderMutation: mutation(set, remove),
		}},
	}}
}

// immediate is an answer of ours.
func immediate(e *apierror.Error, body []byte, req request) *extprocv3.ProcessingResponse {
	return immediateResponse(e.Status, errorHeaders(e, req), body)
}

// errorHeaders are those of an answer of ours.
func errorHeaders(e *apierror.Error, req request) []header {
	set := []header{{"content-type", "application/json"}, {config.HeaderErrorSource, e.Source}}
	for _, name := range req.idHeaders() {
		set = append(set, header{name, req.id})
	}
	if req.id != "" {
		// As TARS's answers name it.
		set = append(set, header{"x-client-request-id", req.id})
	}
	for _, h := range e.Headers {
		set = append(set, header{h[0], h[1]})
	}
	return set
}

func immediateResponse(code int, set []header, body []byte) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ImmediateResponse{
		ImmediateResponse: &extprocv3.ImmediateResponse{
			Status:  &typev3.HttpStatus{Code: statusCode(code)},
			Headers: mutation(set, nil),
			Body:    body,
			Details: "tarsbackend",
		},
	}}
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
