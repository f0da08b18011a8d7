// SPDX-License-Identifier: Apache-2.0

// Package apierror renders errors in the shape of the API that the caller
// speaks, so that its SDK raises the error it would raise for the provider's
// own.
package apierror

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/tars-operator/tars-operator/extproc/policy"
)

// Error is an answer that the platform gives in TARS's place.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Source is the value of x-tarsbackend-error-source.
	Source string
	// Code is a stable word for programs: OpenAI's error.code.
	Code string
	// Param names the field of the request that is wrong, empty for none.
	Param string
	// Message says what is wrong, where, and what to do.
	Message string
	// Headers are further headers of the answer, as name and value.
	Headers [][2]string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message)
}

type openAIBody struct {
	Error openAIError `json:"error"`
}

type openAIError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
}

type anthropicBody struct {
	Type      string         `json:"type"`
	Error     anthropicError `json:"error"`
	RequestID string         `json:"request_id,omitempty"`
}

type anthropicError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// Body renders the error in the given shape.
func (e *Error) Body(shape policy.Shape, requestID string) ([]byte, error) {
	var body any = anthropicBody{
		Type:      "error",
		Error:     anthropicError{Type: anthropicType(e.Status), Message: e.Message},
		RequestID: requestID,
	}
	if shape == policy.OpenAI {
		inner := openAIError{Message: e.Message, Type: openAIType(e.Status), Code: e.Code}
		if e.Param != "" {
			inner.Param = &e.Param
		}
		body = openAIBody{Error: inner}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // people read these in a terminal
	if err := encoder.Encode(body); err != nil {
		return nil, fmt.Errorf("rendering an error: %w", err)
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// openAIType is OpenAI's error.type for a status.
func openAIType(status int) string {
	switch {
	case status == 401:
		return "authentication_error"
	case status == 403:
		return "permission_error"
	case status == 429:
		return "rate_limit_error"
	case status >= 500:
		return "server_error"
	default:
		return "invalid_request_error"
	}
}

// anthropicType is Anthropic's error.type for a status.
func anthropicType(status int) string {
	switch status {
	case 401:
		return "authentication_error"
	case 402:
		return "billing_error"
	case 403:
		return "permission_error"
	case 404:
		return "not_found_error"
	case 413:
		return "request_too_large"
	case 429:
		return "rate_limit_error"
	case 408, 504:
		return "timeout_error"
	case 503:
		return "overloaded_error"
	}
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}
