// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
)

// Paths beside those of reply.Kind.
const (
	rootPath    = "/"
	modelsPath  = "/v1/models"
	modelPrefix = modelsPath + "/"
)

// route answers a request that no wish has answered.
func (x *exchange) route() error {
	path := x.r.URL.Path
	allowed := http.MethodGet
	switch {
	case x.priced:
		allowed = http.MethodPost
	case path == rootPath, path == modelsPath, strings.HasPrefix(path, modelPrefix):
	default:
		return x.refuse("404", "no such path: "+short(path))
	}
	if x.r.Method != allowed {
		x.w.Header().Set("allow", allowed)
		return x.refuseAs(http.StatusMethodNotAllowed, "use "+allowed)
	}
	if path == rootPath {
		// The hosted service answers its status with nothing.
		return x.deliver(document{status: http.StatusOK})
	}
	if !x.who.known {
		return x.refuse("401", "")
	}
	if x.priced {
		return x.infer()
	}
	if path == modelsPath {
		return x.deliverJSON(reply.Models(x.who.models))
	}
	id := strings.TrimPrefix(path, modelPrefix)
	if !slices.Contains(x.who.models, id) {
		return x.refuse("404", fmt.Sprintf("model %q not found", short(id)))
	}
	return x.deliverJSON(reply.Model(id))
}

// infer answers with a text, as a document or as a stream.
func (x *exchange) infer() error {
	if x.malformed != nil {
		return x.refuse("400", x.malformed.Error())
	}
	if !slices.Contains(x.who.models, x.request.Model) {
		return x.refuse("404", fmt.Sprintf("model %q not found", short(x.request.Model)))
	}
	answer, err := reply.New(x.request, x.b)
	if err != nil {
		return fmt.Errorf("making an answer: %w", err)
	}
	x.record.Update(func(e *ledger.Entry) {
		e.ModelAnswered = short(answer.Model)
		e.Usage = &answer.Usage
	})
	// A body on demand is the whole answer, or the error in a stream.
	_, breaks := x.b.Breaks()
	if x.request.Stream && (x.b.Body == "" || breaks) {
		return x.stream(answer)
	}
	data, err := answer.Document()
	if err != nil {
		return fmt.Errorf("rendering an answer: %w", err)
	}
	contentType := jsonType
	if x.request.Stream {
		contentType = streamType
	}
	return x.deliver(document{
		status: http.StatusOK, contentType: contentType, data: data, tellsUsage: answer.TellsUsage() && x.b.Body == "",
	})
}

// refuse answers one of behaviour.Errors that nobody wished for, with a
// message of its own unless that is empty.
func (x *exchange) refuse(name, message string) error {
	failure := behaviour.Errors()[name]
	if message != "" {
		failure.Message = message
	}
	return x.fail(failure)
}

// refuseAs answers an error that is not in behaviour.Errors.
func (x *exchange) refuseAs(status int, message string) error {
	return x.fail(behaviour.Failure{Status: status, Code: status, Type: "invalid_request_error", Message: message})
}

func (x *exchange) fail(failure behaviour.Failure) error {
	data, err := failure.Document(x.kind == reply.Messages)
	if err != nil {
		return fmt.Errorf("rendering an error: %w", err)
	}
	if failure.RetryAfter != "" {
		x.w.Header().Set("retry-after", failure.RetryAfter)
	}
	return x.deliver(document{status: failure.Status, contentType: failure.ContentType(), data: data})
}

func (x *exchange) deliverJSON(value map[string]any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("rendering an answer: %w", err)
	}
	return x.deliver(document{status: http.StatusOK, contentType: jsonType, data: data})
}
