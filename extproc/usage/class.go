// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"net/http"
	"strconv"
)

// Classes of TARS's errors: a label of metrics and a value of dynamic
// metadata.
const (
	ClassAuthentication = "authentication"  // the platform's key
	ClassCredits        = "credits"         // the account's money
	ClassRateLimit      = "rate_limit"      // a limit of the key
	ClassNotFound       = "not_found"       // model or path
	ClassModelNotReady  = "model_not_ready" // waiting is the only fix
	ClassRequest        = "request"         // any other 4xx
	ClassServer         = "server"          // 5xx
	ClassUnknown        = "unknown"         // an error without a known code
)

// Classes are all of them.
func Classes() []string {
	return []string{
		ClassAuthentication, ClassCredits, ClassRateLimit, ClassNotFound, ClassModelNotReady,
		ClassRequest, ClassServer, ClassUnknown,
	}
}

// Class sorts an error of TARS by its HTTP status and by what the body says;
// an error inside a 200 is sorted by its own code. It is empty when there is
// no error.
func Class(status int, f *Failure) string {
	if f != nil && f.Code == "model_not_ready" {
		return ClassModelNotReady
	}
	if status >= http.StatusBadRequest {
		return classOfStatus(status)
	}
	if f == nil {
		return ""
	}
	if code, err := strconv.Atoi(f.Code); err == nil && code >= http.StatusBadRequest {
		return classOfStatus(code)
	}
	return classOfWord(f)
}

func classOfStatus(status int) string {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return ClassAuthentication
	case status == http.StatusPaymentRequired:
		return ClassCredits
	case status == http.StatusNotFound:
		return ClassNotFound
	case status == http.StatusTooManyRequests:
		return ClassRateLimit
	case status >= http.StatusInternalServerError:
		return ClassServer
	default:
		return ClassRequest
	}
}

// classOfWord knows the words of OpenAI and Anthropic.
func classOfWord(f *Failure) string {
	for _, word := range []string{f.Code, f.Type} {
		switch word {
		case "invalid_api_key", "authentication_error", "permission_error":
			return ClassAuthentication
		case "insufficient_quota", "billing_error":
			return ClassCredits
		case "rate_limit_exceeded", "rate_limit_error":
			return ClassRateLimit
		case "model_not_found", "not_found_error":
			return ClassNotFound
		case "invalid_request_error":
			return ClassRequest
		case "server_error", "api_error", "overloaded_error", "timeout_error":
			return ClassServer
		}
	}
	return ClassUnknown
}
