// SPDX-License-Identifier: Apache-2.0

package apierror

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// FromGateway words an answer that Envoy itself gave. details is Envoy's
// response_code_details. A 500 becomes a 503: Envoy answers 500 where a route
// or a policy is not valid right now, which no change of the request cures, and
// the policy that words our own absence takes every local 500 for that.
func FromGateway(status int, details string) *Error {
	if status == http.StatusInternalServerError {
		status = http.StatusServiceUnavailable
	}
	e := &Error{Status: status, Source: config.ErrorSourceGateway, Code: "gateway_error"}
	what, code, limited := explain(status, details)
	e.Code = code
	if limited {
		e.Source = config.ErrorSourceLimit
	}
	e.Message = "The gateway answered, not TARS: " + what
	if details != "" {
		e.Message += fmt.Sprintf(" (Envoy: %s)", cut(details))
	}
	e.Message += "."
	return e
}

// Reached tells whether TARS may have had the whole request that Envoy then
// answered itself with these details: it did not answer in time, or broke off.
func Reached(details string) bool {
	if has(details, "connection_failure", "connection_timeout", "overflow", "refused_stream") {
		return false
	}
	return has(details, "timeout", "upstream_reset", "upstream_max_stream_duration_reached", "response_payload_too_large")
}

func has(details string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(details, part) })
}

// explain turns Envoy's details into words.
func explain(status int, details string) (what, code string, limited bool) {
	switch {
	case status == http.StatusTooManyRequests || has(details, "rate_limited"):
		return "a limit of the platform is used up; retry later", "rate_limit_exceeded", true
	case status == http.StatusUnauthorized:
		return "the credentials for this gateway are missing or wrong; ask the platform team for a client key", "unauthorized", false
	case has(details, "upgrade_failed"):
		return "it does not support connection upgrades (WebSocket) on this route", "upgrade_not_supported", false
	case status == http.StatusForbidden:
		return "the platform's access policy refuses this request", "forbidden", false
	case has(details, "no_healthy_upstream", "cluster_not_found", "no_cluster"):
		return "it has no healthy endpoint for TARS; the platform team finds the reason in the TarsBackend's status", "no_healthy_upstream", false
	case has(details, "connection_timeout"):
		return "no connection to TARS came to be within spec.timeouts.connect of the TarsBackend; " +
			"look for a firewall or a network policy that drops it", "upstream_connect_timeout", false
	case has(details, "connection_failure", "connection_termination", "upstream_reset"):
		return "the connection to TARS failed; retry, and see the TarsBackend's status if it stays", "upstream_connect_error", false
	case has(details, "timeout", "max_stream_duration_reached"):
		return "TARS took longer than the gateway's time limit; see spec.timeouts of the TarsBackend", "gateway_timeout", false
	case has(details, "direct_response"):
		return "the route is not complete yet; see the TarsBackend's status", "route_not_ready", false
	default:
		return strings.ToLower(http.StatusText(status)), "gateway_error", false
	}
}
