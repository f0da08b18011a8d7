// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// tarsBody is what TARS's answers to GET /v1/models hold: a list, or an error,
// also inside a 200. error.code is a number or a word.
type tarsBody struct {
	Data *[]struct {
		ID string `json:"id"`
	} `json:"data"`
	Error *tarsError `json:"error"`
}

type tarsError struct {
	Code any
	// own says that it has the form of TARS's errors, an object with a code or a
	// message. An error of another form is one all the same, of somebody else.
	own bool
}

// UnmarshalJSON takes an error of any form.
func (e *tarsError) UnmarshalJSON(data []byte) error {
	var form struct {
		Code    any     `json:"code"`
		Message *string `json:"message"`
	}
	if json.Unmarshal(data, &form) == nil {
		e.Code, e.own = form.Code, form.Code != nil || form.Message != nil
	}
	return nil
}

// status is the error's own, 0 for none.
func (e *tarsError) status() int {
	switch code := e.Code.(type) {
	case float64:
		return int(code)
	case string:
		number, err := strconv.Atoi(code)
		if err == nil {
			return number
		}
		if code == "model_not_ready" {
			return http.StatusServiceUnavailable
		}
	}
	return 0
}

// classifyTARS judges an answer of the upstream, whatever that is. Nothing of
// the body gets into the words: it may hold anything.
func classifyTARS(method string, status int, header http.Header, body []byte) upstreamAnswer {
	if method == http.MethodHead {
		return classifyHead(status, header)
	}
	var parsed tarsBody
	known := len(body) <= maxListBytes && json.Unmarshal(body, &parsed) == nil
	if status >= http.StatusMultipleChoices {
		return classifyStatus(status, header, known && parsed.Error != nil && parsed.Error.own)
	}
	switch {
	case known && parsed.Error != nil:
		own := parsed.Error.status()
		a := upstreamAnswer{outcome: conditions.UpstreamUnexpected, detail: "an error inside an answer of 200, of a code that is not known"}
		if own >= http.StatusBadRequest {
			a = classifyStatus(own, http.Header{}, true)
			a.detail = "TARS answered 200 with an error inside of code " + statusWord(own)
		}
		return a
	case status == http.StatusOK && known && parsed.Data != nil:
		models := make([]string, 0, len(*parsed.Data))
		for _, m := range *parsed.Data {
			models = append(models, m.ID)
		}
		return upstreamAnswer{outcome: conditions.UpstreamServed, models: models}
	default:
		return upstreamAnswer{outcome: conditions.UpstreamUnexpected, detail: what(status, header) + " that is no list of models"}
	}
}

// classifyHead takes what may be TARS's list for an answer, and leaves anything else
// to a GET. A page that a proxy shows in place of TARS says what it is.
func classifyHead(status int, header http.Header) upstreamAnswer {
	kind, _, err := mime.ParseMediaType(header.Get("content-type"))
	if status < http.StatusMultipleChoices && (err != nil || kind == "application/json") {
		return upstreamAnswer{outcome: conditions.UpstreamServed}
	}
	return upstreamAnswer{
		outcome: conditions.UpstreamUnexpected, detail: what(status, header) + " to HEAD",
		passing: status == http.StatusTooManyRequests || (status >= http.StatusInternalServerError && status != http.StatusNotImplemented),
	}
}

// classifyStatus judges a status of 300 and more; tars says that TARS's error
// came with it.
func classifyStatus(status int, header http.Header, tars bool) upstreamAnswer {
	said := "TARS answered " + statusWord(status)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		if !tars {
			return upstreamAnswer{outcome: conditions.UpstreamUnexpected, detail: what(status, header) + ", without TARS's error"}
		}
		return upstreamAnswer{outcome: conditions.UpstreamRejected, detail: said}
	case status == http.StatusPaymentRequired:
		return upstreamAnswer{outcome: conditions.UpstreamNoCredits, detail: said}
	case status == http.StatusTooManyRequests:
		return upstreamAnswer{outcome: conditions.UpstreamRateLimited, detail: said}
	case status == http.StatusNotFound:
		return upstreamAnswer{outcome: conditions.UpstreamNotFound, detail: what(status, header)}
	case status >= http.StatusInternalServerError:
		return upstreamAnswer{outcome: conditions.UpstreamNotServing, detail: what(status, header)}
	default:
		return upstreamAnswer{outcome: conditions.UpstreamUnexpected, detail: what(status, header)}
	}
}

// what came, by its status and type alone.
func what(status int, header http.Header) string {
	words := "the answer was " + statusWord(status)
	if kind, _, err := mime.ParseMediaType(header.Get("content-type")); err == nil {
		switch kind {
		case "application/json", "text/html", "text/plain":
			words += " of type " + kind
		}
	}
	return words
}

func statusWord(status int) string { return strconv.Itoa(status) }
