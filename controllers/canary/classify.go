// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// statusExtProcFailed is what Envoy answers when the external processor fails
// (EnvoyExtensionPolicy statusOnError) and no BackendTrafficPolicy turns it
// into a 503.
const statusExtProcFailed = 510

// classify judges an answer by its status and headers. An answer that carries
// the external processor's stamp comes from our route whatever its status; a
// refusal by an authentication filter before the external processor carries it
// too, and proves the same.
func classify(plan Plan, status int, header http.Header) state {
	configHash := header.Get(config.HeaderConfigHash)
	if configHash == "" {
		return state{conditions.ProbeWrong, unstamped(status, header)}
	}
	if configHash != plan.ConfigHash {
		return state{conditions.ProbeStale, fmt.Sprintf(
			"a replica of the external processor answers with configuration %s instead of %s",
			word(configHash), word(plan.ConfigHash))}
	}
	if routeHash := header.Get(config.HeaderRouteHash); routeHash != plan.RouteHash {
		return state{conditions.ProbeStale, fmt.Sprintf(
			"its route is that of hash %s instead of %s", word(routeHash), word(plan.RouteHash))}
	}
	switch status {
	case http.StatusOK, http.StatusUnauthorized, http.StatusForbidden:
		return state{outcome: conditions.ProbeVerified}
	default:
		return state{conditions.ProbeWrong, fmt.Sprintf(
			"answered %d, although the external processor ran: another filter of the Gateway refuses the request", status)}
	}
}

// unstamped words an answer that did not pass the external processor.
func unstamped(status int, header http.Header) string {
	source := header.Get(config.HeaderErrorSource)
	switch {
	case status == http.StatusNotFound:
		return "answered 404: it has no route for this path yet, or another HTTPRoute takes the path"
	case status == http.StatusServiceUnavailable && source == config.ErrorSourceExtProc:
		return "answered 503 in place of the external processor: that is down, or the EnvoyExtensionPolicy is not in force"
	case status == statusExtProcFailed:
		return "answered 510: the external processor is down, and the BackendTrafficPolicy is not in force"
	case status >= 500:
		return fmt.Sprintf("answered %d without passing the external processor: Envoy Gateway found something invalid "+
			"in the route or its policies", status)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Sprintf("answered %d without passing the external processor: "+
			"another HTTPRoute or a policy of the Gateway refuses the request", status)
	case status >= 300 && status < 400:
		return fmt.Sprintf("answered %d: another HTTPRoute redirects this path", status)
	case status < 300:
		return fmt.Sprintf("answered %d without passing the external processor: another HTTPRoute takes the path", status)
	default:
		return fmt.Sprintf("answered %d without passing the external processor", status)
	}
}

// maxWord bounds what is quoted of a header.
const maxWord = 32

// word quotes a hash from a header, if it is one.
func word(hash string) string {
	if hash == "" {
		return `""`
	}
	if len(hash) > maxWord || strings.Trim(hash, "0123456789abcdef") != "" {
		return "(" + strconv.Itoa(len(hash)) + " bytes that are no hash)"
	}
	return hash
}
