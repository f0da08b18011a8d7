// SPDX-License-Identifier: Apache-2.0

package apierror

import (
	"fmt"
	"net/http"
	"time"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/policy"
)

// CodeOverloaded is the code of Overloaded.
const CodeOverloaded = "overloaded"

// maxQuoted is the number of bytes of a client's text that a message quotes.
const maxQuoted = 128

func client(status int, code, message string) *Error {
	return &Error{Status: status, Source: config.ErrorSourceClient, Code: code, Message: message}
}

// InvalidJSON is for a body that is not one JSON object.
func InvalidJSON(problem string) *Error {
	return client(http.StatusBadRequest, "invalid_json",
		"The request body is not a valid JSON object: "+problem+". Send one JSON object.")
}

// MissingModel is for a body that names no model.
func MissingModel() *Error {
	e := client(http.StatusBadRequest, "missing_required_parameter",
		`The request body has no "model" at its top level. Add "model": "<id>"; GET /v1/models lists the ids.`)
	e.Param = "model"
	return e
}

// InvalidModel is for a model that is no proper name.
func InvalidModel() *Error {
	e := client(http.StatusBadRequest, "invalid_model",
		`"model" must be a string of 1 to 256 bytes without control characters and without spaces at its ends.`)
	e.Param = "model"
	return e
}

// Duplicate is for a body with more than one of a field, one that only looks
// like it included: JSON libraries differ in which one they take.
func Duplicate(field string) *Error {
	e := client(http.StatusBadRequest, "duplicate_parameter",
		fmt.Sprintf("The request body has %q more than once, or in another spelling (upper case, invisible characters). "+
			"Send it once, written exactly so.", field))
	e.Param = field
	return e
}

// NoBoolean is for a field that must be true or false and is neither.
func NoBoolean(field string) *Error {
	e := client(http.StatusBadRequest, "invalid_type",
		fmt.Sprintf("%q must be true or false. Send it as one of these, without quotes, or leave it out.", field))
	e.Param = field
	return e
}

// ModelNotFound is for a model that the route does not allow.
func ModelNotFound(model, allowed string) *Error {
	e := client(http.StatusNotFound, "model_not_found",
		fmt.Sprintf("The model %s is not allowed on this gateway. Allowed: %s.", quote(model), allowed))
	e.Param = "model"
	return e
}

// TooManyModels is for a body that names more models, beside its own, than most.
func TooManyModels(most int) *Error {
	return client(http.StatusBadRequest, "too_many_models",
		fmt.Sprintf(`The body names more than %d models beside its own (in "models", "fallbacks", tools). Name fewer.`, most))
}

// UnclearModels is for a body that may name models in a way that the gateway does not know.
func UnclearModels() *Error {
	return client(http.StatusBadRequest, "unclear_models",
		`The gateway does not know which models "models", "fallbacks" or the "model" of a tool name here. `+
			`Name them by strings: in a list, or as "model" of the objects in "fallbacks" and "tools".`)
}

// PathNotServed is for a path that the route does not serve.
func PathNotServed(method, path string) *Error {
	return client(http.StatusNotFound, "unknown_url",
		fmt.Sprintf("%s %s is not served by this gateway. It serves %s, written exactly so.",
			quotePlain(method), quotePlain(path), policy.ServedPaths))
}

// MethodNotAllowed is for a served path with a wrong method.
func MethodNotAllowed(method, path, allow string) *Error {
	e := client(http.StatusMethodNotAllowed, "method_not_allowed",
		fmt.Sprintf("%s is not allowed on %s. Use %s.", quotePlain(method), path, allow))
	e.Headers = [][2]string{{"allow", allow}}
	return e
}

// UpgradeNotSupported is for an upgrade: TARS has no path that takes one.
func UpgradeNotSupported(path string) *Error {
	return client(http.StatusBadRequest, "upgrade_not_supported",
		"A connection upgrade (WebSocket) is not supported on "+quotePlain(path)+". Send the request without the Upgrade header.")
}

// TrailersNotSupported is for a request with trailers.
func TrailersNotSupported() *Error {
	return client(http.StatusBadRequest, "trailers_not_supported",
		"The request ends with trailers, which this gateway does not support. Send headers only.")
}

// MissingBody is for an inference request without a body.
func MissingBody() *Error {
	return client(http.StatusBadRequest, "missing_body", "The request has no body. Send a JSON object with a \"model\".")
}

// NotJSON is for a content type other than JSON.
func NotJSON(contentType string) *Error {
	return client(http.StatusUnsupportedMediaType, "unsupported_media_type",
		fmt.Sprintf("The content type %s is not supported. Send content-type: application/json (UTF-8).", quote(contentType)))
}

// Compressed is for a compressed request body.
func Compressed(encoding string) *Error {
	return client(http.StatusUnsupportedMediaType, "unsupported_content_encoding",
		fmt.Sprintf("The content encoding %s is not supported for requests. Send the body uncompressed.", quote(encoding)))
}

// TooLarge is for a body above the route's limit.
func TooLarge(limit int64) *Error {
	return client(http.StatusRequestEntityTooLarge, "request_too_large",
		fmt.Sprintf("The request body is larger than the %d bytes that this gateway accepts "+
			"(spec.requestBody.maxSize of the TarsBackend).", limit))
}

// BodyTimeout is for a body that stopped arriving.
func BodyTimeout(after time.Duration) *Error {
	return client(http.StatusRequestTimeout, "request_timeout",
		fmt.Sprintf("No byte of the request body arrived for %s. Send the body without pauses.", after))
}

// BodyTooSlow is for a large body of which so many bytes have arrived in that time.
func BodyTooSlow(received int64, in time.Duration) *Error {
	return client(http.StatusRequestTimeout, "request_timeout",
		fmt.Sprintf("The request body arrives too slowly: %d bytes in %s. Send it faster, or in smaller requests.",
			received, in.Round(time.Second)))
}

// Overloaded is for a pod that holds as many bytes as its memory allows.
func Overloaded() *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Source: config.ErrorSourceExtProc, Code: CodeOverloaded,
		Message: "The gateway's external processor holds as many request bytes as its memory allows. " +
			"Retry later; the platform team can raise spec.extProc.replicas or the memory limit.",
		Headers: [][2]string{{"retry-after", "1"}},
	}
}

// NotProcessed is for a request that Envoy brings past the external processor.
func NotProcessed() *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Source: config.ErrorSourceExtProc, Code: "request_not_processed",
		Message: "The gateway did not process this request, so it was not sent to TARS. The external processor is not " +
			"in its path: the platform team finds the cause in the TarsBackend's status.",
	}
}

// ListUnreadable is for a list of models that cannot be narrowed.
func ListUnreadable(reason string) *Error {
	return &Error{
		Status: http.StatusBadGateway, Source: config.ErrorSourceExtProc, Code: "model_list_unreadable",
		Message: "The list of models that TARS sent cannot be narrowed to the allowed models: " + reason + ".",
	}
}

func quote(text string) string {
	return fmt.Sprintf("%q", cut(text))
}

// quotePlain shows text without quotes, with unprintable bytes escaped.
func quotePlain(text string) string {
	quoted := quote(text)
	return quoted[1 : len(quoted)-1]
}

func cut(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	return text[:maxQuoted] + "..."
}
