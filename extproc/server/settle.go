// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

// reading are the methods that run no model: a response by its id tells what it has cost
// as often as it is read, or deleted.
var reading = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete}

// counts are the tokens of the request as they are known now: what TARS told,
// else an estimate where it may have run a model, else none. At the end of the
// request they are what it is settled with: a request is told, missing or free,
// and never two of them.
func (s *session) counts() usage.Counts {
	if s.req.reads {
		return usage.Counts{}
	}
	told := s.tally.Counts()
	if told.Known {
		return told
	}
	if !s.chargeable() {
		return usage.Counts{}
	}
	return s.tally.Estimate(s.prompt)
}

// chargeable tells whether TARS may have run a model for the request: it had
// all of it, and did not refuse. Where Envoy has given the answer in its place,
// TARS may have been at work until then.
func (s *session) chargeable() bool {
	switch {
	case s.req.target.Operation == nil:
		return s.tally.Told() // and then more was written
	case !s.forwarded:
		return s.tally.Begun() // TARS answers before it has all of it
	case s.local:
		return s.reached
	case s.result.status >= http.StatusMultipleChoices:
		return false
	default:
		return s.tally.Failure() == nil || s.tally.Begun()
	}
}
