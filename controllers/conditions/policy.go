// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"
	"slices"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// policyMerged is Envoy Gateway's condition on a policy with a mergeType.
const policyMerged = "Merged"

// policy is one of ours, with what Envoy Gateway says of it.
type policy struct {
	object     string
	generation int64
	status     gatewayv1.PolicyStatus
}

// ourPolicies are those that exist, and the verdict on those that do not.
func ourPolicies(o Observation) (policies []policy, missing []verdict) {
	if p := o.ExtensionPolicy; p != nil {
		policies = append(policies, policy{"EnvoyExtensionPolicy " + p.Name, p.Generation, p.Status})
	} else {
		missing = append(missing, pending("the EnvoyExtensionPolicy does not exist yet"))
	}
	if p := o.TrafficPolicy; p != nil {
		policies = append(policies, policy{"BackendTrafficPolicy " + p.Name, p.Generation, p.Status})
	} else {
		missing = append(missing, pending("the BackendTrafficPolicy does not exist yet"))
	}
	return policies, missing
}

// policiesProgrammed says whether our policies are in force for one parent.
// Where the status that would tell is lost, the canary does: an Envoy whose
// controller refused a policy answers 500 instead.
func policiesProgrammed(o Observation, p Parent) []verdict {
	policies, verdicts := ourPolicies(o)
	for _, q := range policies {
		if by := overwriter(o, q, p); by != "" {
			lost := fmt.Sprintf("controller %q wrote its status of %s over that of controller %q, as Envoy Gateways "+
				"that share a route do", by, q.object, p.ControllerName)
			verdicts = append(verdicts, canaryInstead(o, p, lost,
				pending(lost+", so that nothing tells whether it is in force for "+gatewayName(p)+
					"; use one TarsBackend for the Gateways of each controller")))
			continue
		}
		verdicts = append(verdicts, policyAccepted(q, p))
	}
	return verdicts
}

// policiesAccepted says that nothing is left to wait for in the status of our
// policies: one that was overwritten does not come back.
func policiesAccepted(o Observation, p Parent) bool {
	policies, missing := ourPolicies(o)
	return len(missing) == 0 && !slices.ContainsFunc(policies, func(q policy) bool {
		return overwriter(o, q, p) == "" && !policyAccepted(q, p).isTrue()
	})
}

// overwriter is the controller whose status of a policy stands in place of that
// for a parent; empty: nobody's. Up to 1.9.1 at least, Envoy Gateway keeps the
// entries of other controllers in the status of a route, and not in that of a
// policy. So where Gateways of two controllers share our route, only the status
// of the one that wrote last is there, and the other does not write it again.
func overwriter(o Observation, q policy, p Parent) gatewayv1.GatewayController {
	var by gatewayv1.GatewayController
	for _, a := range q.status.Ancestors {
		if a.ControllerName == p.ControllerName {
			return ""
		}
		if slices.ContainsFunc(served(o), func(other Parent) bool { return other.ControllerName == a.ControllerName }) {
			by = a.ControllerName
		}
	}
	return by
}

// policyAccepted judges a policy of ours for one parent. Envoy Gateway keys
// the status of a policy on a route by the Gateway, not by the route.
func policyAccepted(q policy, p Parent) verdict {
	ancestor := ancestorFor(q.status, p)
	if ancestor == nil {
		if aggregated(q.status) {
			return pending(fmt.Sprintf("%s: Envoy Gateway lists the status of only some Gateways (%s), and %s is not among them",
				q.object, egv1a1.PolicyConditionAggregated, gatewayName(p)))
		}
		return silent(q.object, p)
	}
	accepted, v := current(ancestor.Conditions, string(gatewayv1.PolicyConditionAccepted),
		evidence{object: q.object, generation: q.generation, parent: p})
	refused := func(c *metav1.Condition) verdict {
		return no(v1alpha1.ReasonPolicyNotAccepted, fmt.Sprintf("%s, %s: %s",
			gatewayName(p), q.object, quote(c.Reason, c.Message)))
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
		if badStatus, ok := bad[c.Type]; ok && c.Status == badStatus && c.ObservedGeneration == q.generation {
			return refused(c)
		}
	}
	if accepted == nil || accepted.Status == metav1.ConditionTrue {
		return v
	}
	return pending(fmt.Sprintf("%s, %s: %s", gatewayName(p), q.object, quote(accepted.Reason, accepted.Message)))
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
