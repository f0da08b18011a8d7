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

// programmed says whether Envoy Gateway accepted every object of ours.
func programmed(o Observation) verdict {
	parents := served(o)
	verdicts := []verdict{endpointAccepted(o, parents)}
	if len(parents) == 0 {
		verdicts = append(verdicts, pending("no Gateway of Envoy Gateway's to program"))
	}
	for _, p := range parents {
		verdicts = append(verdicts, programmedFor(o, p))
	}
	return all(verdicts, yes(v1alpha1.ReasonProgrammed, "Envoy Gateway accepted every object for every Gateway"))
}

// programmedFor says so for one parent.
func programmedFor(o Observation, p Parent) verdict {
	if !o.Applied {
		return notApplied(o)
	}
	verdicts := append([]verdict{routeResolved(o, p)}, policiesProgrammed(o, p)...)
	verdicts = append(verdicts, gatewayProgrammed(o, p))
	return all(verdicts, yes(v1alpha1.ReasonProgrammed, "Envoy Gateway accepted every object for this Gateway"))
}

// ChildrenAccepted says that Envoy Gateway accepted our Backend, and our
// policies for every parent, at their current generations. The route may then
// carry the hash of them all: what the canary reads out of it is in force.
func ChildrenAccepted(o Observation) bool {
	parents := served(o)
	accepted := len(parents) > 0 && endpointAccepted(o, parents).isTrue()
	for _, p := range parents {
		accepted = accepted && policiesAccepted(o, p)
	}
	return accepted
}

// endpointAccepted judges our Backend.
//
// Up to 1.9.1 Envoy Gateway writes a refusal as a condition of *type* Invalid
// and leaves an older Accepted=True beside it; and after the cause went, an
// Invalid of the same generation beside an Accepted=True. What the route says
// then tells which of the two is the newer.
func endpointAccepted(o Observation, parents []Parent) verdict {
	if !o.Applied {
		return notApplied(o)
	}
	if o.Endpoint == nil {
		return pending("the Backend does not exist yet")
	}
	find := func(conditionType string) *metav1.Condition {
		c := meta.FindStatusCondition(o.Endpoint.Status.Conditions, conditionType)
		if c == nil || c.ObservedGeneration != o.Endpoint.Generation {
			return nil
		}
		return c
	}
	accepted, invalid := find(string(egv1a1.BackendConditionAccepted)), find(string(egv1a1.BackendReasonInvalid))
	isAccepted := accepted != nil && accepted.Status == metav1.ConditionTrue
	switch {
	case invalid != nil && !(isAccepted && allRoutesResolved(o, parents)):
		return no(v1alpha1.ReasonBackendNotAccepted, fmt.Sprintf("Envoy Gateway refused Backend %s: %s",
			o.Endpoint.Name, quote(string(egv1a1.BackendReasonInvalid), invalid.Message)))
	case isAccepted:
		return yes(v1alpha1.ReasonProgrammed, "")
	case accepted != nil && accepted.Status == metav1.ConditionFalse:
		return no(v1alpha1.ReasonBackendNotAccepted, fmt.Sprintf("Envoy Gateway refused Backend %s: %s",
			o.Endpoint.Name, quote(accepted.Reason, accepted.Message)))
	default:
		return pending(fmt.Sprintf("Backend %s has no status about its current generation: "+
			"is Envoy Gateway running, and is its Backend API enabled?", o.Endpoint.Name))
	}
}

// allRoutesResolved says that every parent resolved all that the route names,
// our Backend among it.
func allRoutesResolved(o Observation, parents []Parent) bool {
	for _, p := range parents {
		if !routeResolved(o, p).isTrue() {
			return false
		}
	}
	return len(parents) > 0
}

// routeResolved says whether a parent resolved everything that the route names.
// Envoy Gateway's BackendsAvailable is not among what it asks: the only backend
// with endpoints is the external processor's Service, and whether that has any
// is told by ExtProcAvailable.
func routeResolved(o Observation, p Parent) verdict {
	status, v := routeStatus(o, p)
	if status == nil {
		return v
	}
	e := evidence{object: "HTTPRoute " + o.Route.Name, generation: o.Route.Generation, parent: p}
	refused := func(c *metav1.Condition) verdict {
		return no(v1alpha1.ReasonRouteNotResolved, fmt.Sprintf("%s, HTTPRoute %s: %s",
			gatewayName(p), o.Route.Name, quote(c.Reason, c.Message)))
	}
	resolved, v := current(status.Conditions, string(gatewayv1.RouteConditionResolvedRefs), e)
	if resolved != nil && resolved.Status == metav1.ConditionFalse {
		return refused(resolved)
	}
	partly := meta.FindStatusCondition(status.Conditions, string(gatewayv1.RouteConditionPartiallyInvalid))
	if partly != nil && partly.Status == metav1.ConditionTrue && partly.ObservedGeneration == o.Route.Generation {
		return refused(partly)
	}
	if resolved == nil || resolved.Status == metav1.ConditionTrue {
		return v
	}
	return pending(fmt.Sprintf("%s has not resolved HTTPRoute %s: %s",
		gatewayName(p), o.Route.Name, quote(resolved.Reason, resolved.Message)))
}

// gatewayProgrammed judges the Gateway itself and the listeners that the
// parentRef selects: one that works is enough.
func gatewayProgrammed(o Observation, p Parent) verdict {
	e := evidence{object: gatewayName(p), generation: p.Gateway.Generation, parent: p}
	types := []gatewayv1.GatewayConditionType{gatewayv1.GatewayConditionAccepted, gatewayv1.GatewayConditionProgrammed}
	verdicts := make([]verdict, 0, 1+len(types))
	verdicts = append(verdicts, listenerProgrammed(p, e))
	for _, conditionType := range types {
		c, v := current(p.Gateway.Status.Conditions, string(conditionType), e)
		if c != nil && c.Status == metav1.ConditionFalse {
			v = no(v1alpha1.ReasonGatewayNotProgrammed, fmt.Sprintf("%s is not %s: %s",
				gatewayName(p), conditionType, quote(c.Reason, c.Message)))
			if c.Reason == string(gatewayv1.GatewayReasonAddressNotAssigned) {
				v = canaryInstead(o, p, gatewayName(p)+" has no address", v)
			}
		} else if c != nil && c.Status != metav1.ConditionTrue {
			v = pending(fmt.Sprintf("%s: %s", gatewayName(p), quote(c.Reason, c.Message)))
		}
		verdicts = append(verdicts, v)
	}
	return all(verdicts, yes(v1alpha1.ReasonProgrammed, ""))
}

// canaryInstead judges a parent where Envoy Gateway's status does not tell, as
// that of a Gateway to which nobody assigned an address (bare metal, kind). The
// canary needs none of it, so its word counts; a canary that is not possible
// leaves it at what the status says.
func canaryInstead(o Observation, p Parent, why string, byStatus verdict) verdict {
	canary := canaryOf(o, p)
	if canary.isTrue() {
		return canary
	}
	if canary.reason == v1alpha1.ReasonProbeNotPossible {
		return byStatus
	}
	canary.message = fmt.Sprintf("%s, so that only the canary can tell: %s", why, canary.message)
	return canary
}

// listenerProgrammed is True if a listener of the parentRef's works.
func listenerProgrammed(p Parent, e evidence) verdict {
	var bad []verdict
	for _, l := range p.Gateway.Spec.Listeners {
		if !selects(p.Ref, l) {
			continue
		}
		var conditions []metav1.Condition
		if s := listenerStatus(p.Gateway, l.Name); s != nil {
			conditions = s.Conditions
		}
		e.object = fmt.Sprintf("listener %s of %s", l.Name, gatewayName(p))
		c, v := current(conditions, string(gatewayv1.ListenerConditionProgrammed), e)
		if v.isTrue() {
			return v
		}
		if c != nil && c.Status == metav1.ConditionFalse {
			v = no(v1alpha1.ReasonGatewayNotProgrammed,
				fmt.Sprintf("%s does not work: %s", e.object, quote(c.Reason, c.Message)))
		} else if c != nil {
			v = pending(fmt.Sprintf("%s: %s", e.object, quote(c.Reason, c.Message)))
		}
		bad = append(bad, v)
	}
	if len(bad) == 0 {
		return no(v1alpha1.ReasonGatewayNotProgrammed, fmt.Sprintf(
			"%s has no listener that the parentRef selects; it has %s", gatewayName(p), describe(p, listenerPort)))
	}
	return all(bad, verdict{})
}
