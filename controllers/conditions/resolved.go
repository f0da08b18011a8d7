// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// backendDisabled is in Envoy Gateway's message when its Backend API is off
// (internal/gatewayapi, validateBackendRefBackend). No reason of its own
// tells it.
const backendDisabled = "backend is disabled in envoy gateway configuration"

// resolvedRefs says whether all that the spec names is there.
func resolvedRefs(o Observation) verdict {
	if v := references(o); !v.isTrue() {
		return v
	}
	if p := backendAPIDisabled(o); p != nil {
		return no(v1alpha1.ReasonBackendAPIDisabled, fmt.Sprintf(
			"the Envoy Gateway of %s runs without its Backend API, which the route to TARS needs; "+
				"set config.envoyGateway.extensionApis.enableBackend=true in its Helm chart's values", gatewayName(*p)))
	}
	return yes(v1alpha1.ReasonResolvedRefs, "the Secret, the Gateways and Envoy Gateway's APIs are there")
}

// references judges what the operator itself looked up.
func references(o Observation) verdict {
	findings := slices.Clone(o.Unresolved)
	if o.Resolved && !reported(findings, v1alpha1.ReasonEnvoyGatewayNotInstalled) {
		for _, p := range o.Parents {
			if f := parentMissing(p); f != nil && !reported(o.Unresolved, f.Reason) {
				findings = append(findings, *f)
			}
		}
	}
	if len(findings) > 0 {
		return all(fromFindings(findings), verdict{})
	}
	if !o.Resolved {
		return unresolved(o)
	}
	return yes(v1alpha1.ReasonResolvedRefs, "")
}

func reported(findings []Finding, reason string) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Reason == reason })
}

// parentMissing is the finding that a Gateway or its class is not there.
func parentMissing(p Parent) *Finding {
	switch {
	case p.Gateway == nil:
		return &Finding{Reason: v1alpha1.ReasonGatewayNotFound, Message: fmt.Sprintf(
			"%s of spec.parentRefs does not exist; create it, or correct the parentRef's name and namespace", gatewayName(p))}
	case p.ControllerName == "":
		return &Finding{Reason: v1alpha1.ReasonGatewayClassNotFound, Message: fmt.Sprintf(
			"the GatewayClass %q of %s does not exist; create it, or correct the Gateway's gatewayClassName",
			p.Gateway.Spec.GatewayClassName, gatewayName(p))}
	default:
		return nil
	}
}

// backendAPIDisabled is the first parent whose Envoy Gateway says that its
// Backend API is off.
func backendAPIDisabled(o Observation) *Parent {
	for _, p := range served(o) {
		status, _ := routeStatus(o, p)
		if status == nil {
			continue
		}
		for _, c := range status.Conditions {
			if c.Status == metav1.ConditionFalse && c.ObservedGeneration == o.Route.Generation &&
				strings.Contains(strings.ToLower(c.Message), backendDisabled) {
				return &p
			}
		}
	}
	return nil
}
