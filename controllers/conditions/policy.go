// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// policyMerged is Envoy Gateway's condition on a policy with a mergeType.
const policyMerged = "Merged"

func extensionPolicyAccepted(o Observation, p Parent) verdict {
	if o.ExtensionPolicy == nil {
		return pending("the EnvoyExtensionPolicy does not exist yet")
	}
	return policyAccepted("EnvoyExtensionPolicy "+o.ExtensionPolicy.Name, o.ExtensionPolicy.Generation,
		o.ExtensionPolicy.Status, p)
}

func trafficPolicyAccepted(o Observation, p Parent) verdict {
	if o.TrafficPolicy == nil {
		return pending("the BackendTrafficPolicy does not exist yet")
	}
	return policyAccepted("BackendTrafficPolicy "+o.TrafficPolicy.Name, o.TrafficPolicy.Generation,
		o.TrafficPolicy.Status, p)
}

// policyAccepted judges a policy of ours for one parent. Envoy Gateway keys
// the status of a policy on a route by the Gateway, not by the route.
func policyAccepted(object string, generation int64, status gatewayv1.PolicyStatus, p Parent) verdict {
	ancestor := ancestorFor(status, p)
	if ancestor == nil {
		if aggregated(status) {
			return pending(fmt.Sprintf("%s: Envoy Gateway lists the status of only some Gateways (%s), and %s is not among them",
				object, egv1a1.PolicyConditionAggregated, gatewayName(p)))
		}
		return silent(object, p)
	}
	accepted, v := current(ancestor.Conditions, string(gatewayv1.PolicyConditionAccepted),
		evidence{object: object, generation: generation, parent: p})
	refused := func(c *metav1.Condition) verdict {
		return no(v1alpha1.ReasonPolicyNotAccepted, fmt.Sprintf("%s, %s: %s",
			gatewayName(p), object, quote(c.Reason, c.Message)))
	}
	if accepted != nil && accepted.Status == metav1.ConditionFalse {
		return refused(accepted)
	}
	bad := map[string]metav1.ConditionStatus{
		string(egv1a1.PolicyConditionOverridden): metav1.ConditionTrue,
		policyMerged:                             metav1.ConditionFalse,
	}
	for i := range ancestor.Conditions {
		c := &ancestor.Conditions[i]
		if badStatus, ok := bad[c.Type]; ok && c.Status == badStatus && c.ObservedGeneration == generation {
			return refused(c)
		}
	}
	if accepted == nil || accepted.Status == metav1.ConditionTrue {
		return v
	}
	return pending(fmt.Sprintf("%s, %s: %s", gatewayName(p), object, quote(accepted.Reason, accepted.Message)))
}

// ancestorFor finds the entry of a parent: its controller, Gateway and section.
func ancestorFor(status gatewayv1.PolicyStatus, p Parent) *gatewayv1.PolicyAncestorStatus {
	want := p.Ref
	want.Port = nil // Envoy Gateway leaves it out of ancestors
	for i := range status.Ancestors {
		a := &status.Ancestors[i]
		ref := a.AncestorRef
		ref.Port = nil
		if a.ControllerName == p.ControllerName && sameRef(ref, want, p.Gateway.Namespace) {
			return a
		}
	}
	return nil
}

// aggregated says that Envoy Gateway left ancestors out (it marks the last).
func aggregated(status gatewayv1.PolicyStatus) bool {
	for _, a := range status.Ancestors {
		if meta.IsStatusConditionTrue(a.Conditions, string(egv1a1.PolicyConditionAggregated)) {
			return true
		}
	}
	return false
}
