// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// upstreamFault is what a probe of the upstream can find, and what it means.
type upstreamFault struct {
	outcome UpstreamOutcome
	status  metav1.ConditionStatus
	reason  string
	// fix tells what to do, for an endpoint.
	fix func(endpoint string) string
	// blockable: a firewall between Envoy and the endpoint looks the same.
	blockable bool
}

// reachFaults are what can be wrong with the way to TARS; what hides the others
// comes first.
var reachFaults = []upstreamFault{
	{UpstreamNoAddress, metav1.ConditionFalse, v1alpha1.ReasonDNSFailed, func(endpoint string) string {
		return "it has no address for " + endpoint + ": correct spec.endpoint.hostname, or look at the DNS of the cluster"
	}, true},
	{UpstreamRefused, metav1.ConditionFalse, v1alpha1.ReasonConnectionRefused, func(endpoint string) string {
		return endpoint + " refused the connection: correct spec.endpoint.port, or look for a firewall that rejects"
	}, true},
	{UpstreamTimeout, metav1.ConditionFalse, v1alpha1.ReasonUpstreamTimeout, func(endpoint string) string {
		return "there was no connection to " + endpoint + ", or no answer of it, in time: " +
			"look for a firewall or a NetworkPolicy that drops what the Envoys send"
	}, true},
	{UpstreamTLS, metav1.ConditionFalse, v1alpha1.ReasonTLSFailed, func(endpoint string) string {
		return "TLS with " + endpoint + " failed: is spec.endpoint.tls.validation.caCertificateRefs the authority of its certificate, " +
			"and spec.endpoint.hostname a name in it?"
	}, false},
	{UpstreamBroken, metav1.ConditionFalse, v1alpha1.ReasonConnectionFailed, func(endpoint string) string {
		return "the connection to " + endpoint + " broke: look for a proxy or a firewall on the way"
	}, true},
	{UpstreamNotServing, metav1.ConditionFalse, v1alpha1.ReasonUpstreamNotServing, func(endpoint string) string {
		return endpoint + " does not serve: the key is not the problem; see TARS's status page"
	}, false},
	{UpstreamNotFound, metav1.ConditionFalse, v1alpha1.ReasonNotATarsEndpoint, func(endpoint string) string {
		return endpoint + " has no /v1/models, so it is no data plane of TARS: correct spec.endpoint"
	}, false},
	{UpstreamUnexpected, metav1.ConditionUnknown, v1alpha1.ReasonUnexpectedResponse, func(endpoint string) string {
		return "what answers at " + endpoint + " does not speak as TARS does: look for a proxy on the way, or correct spec.endpoint"
	}, false},
	{UpstreamImpossible, metav1.ConditionUnknown, v1alpha1.ReasonProbeNotPossible, func(string) string { return notPossibleFix }, false},
}

// notPossibleFix is what to do where the operator cannot ask.
const notPossibleFix = "let the operator's requests through, or set readiness.dataPlane to Informational to be Ready without this proof"

// upstreamReachable says whether TARS answers through every ready Envoy.
func upstreamReachable(o Observation) verdict {
	if v := upstreamAsked(o); v != nil {
		return *v
	}
	endpoint := endpointOf(o)
	for _, fault := range reachFaults {
		var messages []string
		for _, p := range o.Canary.Upstream {
			if p.Reach.Outcome == fault.outcome {
				messages = append(messages, fmt.Sprintf("Envoy %s: %s", p.Envoy, said(p.Reach)))
			}
		}
		if len(messages) == 0 {
			continue
		}
		if fault.blockable && o.Canary.DirectReach {
			return no(v1alpha1.ReasonEnvoyEgressBlocked, egressBlocked(o, endpoint)+" ("+list(messages)+")")
		}
		return verdict{fault.status, fault.reason, fault.fix(endpoint) + " (" + list(messages) + ")"}
	}
	return upstreamGood(o, func(p UpstreamProbe) UpstreamVerdict { return p.Reach },
		"no answer of "+endpoint+" through every Envoy yet",
		yes(v1alpha1.ReasonReachable, endpoint+" answers through every ready Envoy"))
}

func egressBlocked(o Observation, endpoint string) string {
	how := "the operator"
	if o.Canary.DirectProxy {
		how = "the operator, through its HTTPS_PROXY, which Envoy does not use,"
	}
	return fmt.Sprintf("%s reaches %s and Envoy does not: let the Envoys' pods out to it (NetworkPolicy, egress firewall)", how, endpoint)
}

// upstreamAsked is the verdict while there is no probe to judge; nil: there is.
func upstreamAsked(o Observation) *verdict {
	var v verdict
	switch {
	case !o.Applied:
		v = notApplied(o)
	case o.Canary == nil, len(o.Canary.Missing) > 0, len(o.Parents) == 0:
		v = pending("TARS was not asked through an Envoy yet")
	case len(o.Canary.NotPossible) > 0:
		v = notPossible(list(o.Canary.NotPossible))
	case len(o.Canary.Upstream) == 0:
		v = pending("TARS was not asked through an Envoy yet")
	default:
		return nil
	}
	return &v
}

// upstreamGood wants a good verdict of every Envoy, and one of each Gateway.
func upstreamGood(o Observation, of func(UpstreamProbe) UpstreamVerdict, waiting string, good verdict) verdict {
	served := map[string]bool{}
	for _, p := range o.Canary.Upstream {
		switch v := of(p); v.Outcome {
		case UpstreamServed:
			served["Gateway "+p.Gateway] = true
		case UpstreamJoined:
		default:
			if v.Detail != "" {
				waiting += "; the last attempt through Envoy " + p.Envoy + ": " + v.Detail
			}
			return pending(waiting)
		}
	}
	for _, p := range o.Parents {
		if p.Gateway != nil && p.Controlled && !served[gatewayName(p)] {
			return pending("no Envoy of " + gatewayName(p) + " was asked for an answer of TARS yet")
		}
	}
	return good
}

func said(v UpstreamVerdict) string {
	if v.Detail == "" {
		return string(v.Outcome)
	}
	return v.Detail
}

func notPossible(why string) verdict {
	v := pending(why + "; " + notPossibleFix)
	v.reason = v1alpha1.ReasonProbeNotPossible
	return v
}

func endpointOf(o Observation) string {
	return fmt.Sprintf("%s:%d", o.Backend.Spec.Endpoint.Hostname, o.Backend.Spec.Endpoint.Port)
}
