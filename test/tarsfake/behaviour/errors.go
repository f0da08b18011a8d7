// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
)

// Names of errors that are more than a status.
const (
	ErrorMidStream     = "mid-stream"
	ErrorInside200     = "inside-200"
	ErrorModelNotReady = "model_not_ready"
	ErrorHTML          = "html"
)

// midStreamAfter is the number of chunks before ErrorMidStream, unless the
// request says otherwise.
const midStreamAfter = 2

// Failure is an error that TARS, or a proxy before it, may answer.
type Failure struct {
	// Status is the HTTP status.
	Status int
	// Code is error.code: a number or, as in model_not_ready, a word.
	Code any
	// Type is error.type in Anthropic's shape.
	Type string
	// Message is error.message.
	Message string
	// RetryAfter is the header's value; "" for no header.
	RetryAfter string
	// HTML is the page of a proxy that answers instead of TARS.
	HTML string
}

// Errors is every error by its name.
func Errors() map[string]Failure {
	credits := Failure{
		Status: http.StatusPaymentRequired, Code: http.StatusPaymentRequired,
		Type: "billing_error", Message: "Insufficient credits",
	}
	broken := Failure{
		Status: http.StatusServiceUnavailable, Code: http.StatusServiceUnavailable,
		Type: "overloaded_error", Message: "Service unavailable",
	}
	within := credits
	within.Status = http.StatusOK
	disconnected := Failure{Status: http.StatusOK, Code: http.StatusBadGateway, Type: "api_error", Message: "Provider disconnected"}
	return map[string]Failure{
		"400": {Status: 400, Code: 400, Type: "invalid_request_error", Message: "Invalid request"},
		"401": {Status: 401, Code: 401, Type: "authentication_error", Message: "Invalid API key"},
		"402": credits,
		"403": {Status: 403, Code: 403, Type: "permission_error", Message: "Forbidden"},
		"404": {Status: 404, Code: 404, Type: "not_found_error", Message: "Model not found"},
		"413": {Status: 413, Code: 413, Type: "request_too_large", Message: "Request too large"},
		"429": {Status: 429, Code: 429, Type: "rate_limit_error", Message: "Rate limit exceeded", RetryAfter: "7"},
		"500": {Status: 500, Code: 500, Type: "api_error", Message: "Internal error"},
		"503": broken,
		ErrorModelNotReady: {
			Status: http.StatusServiceUnavailable, Code: ErrorModelNotReady, Type: ErrorModelNotReady,
			Message: "The model is not active yet for this key", RetryAfter: "3",
		},
		ErrorInside200: within,
		ErrorMidStream: disconnected,
		ErrorHTML: {
			Status: http.StatusBadGateway,
			HTML:   "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n",
		},
	}
}

// ErrorNames are the names of Errors in order.
func ErrorNames() []string { return slices.Sorted(maps.Keys(Errors())) }

// Failure returns the error that the request is to get as its whole answer,
// with the replacements that were asked for. In a stream (streaming), an error
// that comes after some chunks is not meant: see Breaks.
func (b Behaviour) Failure(streaming bool) (Failure, bool) {
	if b.Error == "" {
		return Failure{}, false
	}
	if _, breaks := b.Breaks(); breaks && streaming {
		return Failure{}, false
	}
	return b.failure(), true
}

// Breaks returns after how many chunks of content a stream breaks off with
// the error, and false if it does not.
func (b Behaviour) Breaks() (int, bool) {
	switch {
	case b.Error == "":
		return 0, false
	case b.ErrorAfter >= 0:
		return b.ErrorAfter, true
	case b.Error == ErrorMidStream:
		return midStreamAfter, true
	}
	return 0, false
}

// BreakDocument is what a stream that breaks off sends last.
func (b Behaviour) BreakDocument(anthropic bool) ([]byte, error) {
	if b.Body != "" {
		return []byte(b.Body), nil
	}
	return b.failure().Document(anthropic)
}

func (b Behaviour) failure() Failure {
	f := Errors()[b.Error]
	if b.Status != 0 {
		f.Status = b.Status
	}
	switch b.RetryAfter {
	case "":
	case "none":
		f.RetryAfter = ""
	default:
		f.RetryAfter = b.RetryAfter
	}
	return f
}

// Document is the error's body: TARS's shape or, on /v1/messages, Anthropic's.
func (f Failure) Document(anthropic bool) ([]byte, error) {
	if f.HTML != "" {
		return []byte(f.HTML), nil
	}
	if anthropic {
		return json.Marshal(map[string]any{
			"type":  "error",
			"error": map[string]any{"type": f.Type, "message": f.Message},
		})
	}
	return json.Marshal(map[string]any{"error": map[string]any{"code": f.Code, "message": f.Message}})
}

// ContentType is the body's media type.
func (f Failure) ContentType() string {
	if f.HTML != "" {
		return "text/html"
	}
	return "application/json"
}
