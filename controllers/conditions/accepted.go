// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// spec judges the spec by itself: nothing of Envoy Gateway's is needed for it.
func spec(o Observation) verdict {
	findings := slices.Clone(o.Refused)
	for _, p := range o.Parents {
		findings = append(findings, parentRefused(p)...)
	}
	findings = append(findings, o.Conflicts...)
	if len(findings) > 0 {
		return all(fromFindings(findings), verdict{})
	}
	if !o.Resolved {
		return unresolved(o)
	}
	return yes(v1alpha1.ReasonAccepted, "the spec is accepted")
}

// unresolved is the verdict while the references were not all looked at.
func unresolved(o Observation) verdict {
	return afterFailure(o, pending("the references of the spec were not looked at yet"))
}

// parentRefused are the findings that keep one parent out.
func parentRefused(p Parent) []Finding {
	if len(p.Refused) > 0 || p.Gateway == nil || p.ControllerName == "" || p.Controlled {
		return p.Refused
	}
	return []Finding{{Reason: v1alpha1.ReasonNotEnvoyGateway, Message: fmt.Sprintf(
		"%s has the class %q of controller %q, which is no Envoy Gateway that this operator serves; "+
			"name a Gateway of Envoy Gateway, or add the controller to the manager's --gateway-controller-names",
		gatewayName(p), p.Gateway.Spec.GatewayClassName, p.ControllerName)}}
}

// taken says whether every parent took the route.
func taken(o Observation) verdict {
	parents := served(o)
	verdicts := make([]verdict, 0, len(parents))
	for _, p := range parents {
		verdicts = append(verdicts, routeTaken(o, p))
	}
	return all(verdicts, yes(v1alpha1.ReasonAccepted, "every Gateway of spec.parentRefs took the route"))
}

// served are the parents that the route is written for.
func served(o Observation) []Parent {
	return slices.DeleteFunc(slices.Clone(o.Parents), func(p Parent) bool {
		return p.Gateway == nil || !p.Controlled
	})
}

// routeTaken says whether one parent took the route.
func routeTaken(o Observation, p Parent) verdict {
	status, v := routeStatus(o, p)
	if status == nil {
		return v
	}
	c, v := current(status.Conditions, string(gatewayv1.RouteConditionAccepted), evidence{
		object: "HTTPRoute " + o.Route.Name, generation: o.Route.Generation, parent: p,
	})
	if c == nil {
		return v
	}
	if c.Status == metav1.ConditionTrue {
		return yes(v1alpha1.ReasonAccepted, gatewayName(p)+" took the route")
	}
	if c.Status != metav1.ConditionFalse {
		return pending(fmt.Sprintf("%s has not decided on the route: %s", gatewayName(p), quote(c.Reason, c.Message)))
	}
	return no(v1alpha1.ReasonListenerRefused, fmt.Sprintf("%s does not take the route: %s (%s)",
		gatewayName(p), whyRefused(o, p, splitReasons(c.Reason)), quote(c.Reason, c.Message)))
}

// routeStatus is the status that a parent's controller gave our route for
// exactly that parentRef, or the verdict that it is missing.
func routeStatus(o Observation, p Parent) (*gatewayv1.RouteParentStatus, verdict) {
	if !o.Applied {
		return nil, notApplied(o)
	}
	if o.Route == nil {
		return nil, pending("the HTTPRoute does not exist yet")
	}
	for i := range o.Route.Status.Parents {
		s := &o.Route.Status.Parents[i]
		if s.ControllerName == p.ControllerName && sameRef(s.ParentRef, p.Ref, o.Route.Namespace) {
			return s, verdict{}
		}
	}
	return nil, silent("HTTPRoute "+o.Route.Name, p)
}

// sameRef compares parentRefs with their defaults filled in.
func sameRef(a, b gatewayv1.ParentReference, namespace string) bool {
	return a.Name == b.Name &&
		valueOr(a.Group, gatewayv1.GroupName) == valueOr(b.Group, gatewayv1.GroupName) &&
		valueOr(a.Kind, "Gateway") == valueOr(b.Kind, "Gateway") &&
		valueOr(a.Namespace, gatewayv1.Namespace(namespace)) == valueOr(b.Namespace, gatewayv1.Namespace(namespace)) &&
		valueOr(a.SectionName, "") == valueOr(b.SectionName, "") &&
		valueOr(a.Port, 0) == valueOr(b.Port, 0)
}

func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// whyRefused words Gateway API's reasons with what the listeners say.
func whyRefused(o Observation, p Parent, reasons []string) string {
	var words []string
	for _, reason := range reasons {
		switch gatewayv1.RouteConditionReason(reason) {
		case gatewayv1.RouteReasonNoMatchingParent:
			words = append(words, fmt.Sprintf(
				"no listener matches the parentRef's sectionName and port; it has %s", describe(p, listenerPort)))
		case gatewayv1.RouteReasonNotAllowedByListeners:
			words = append(words, fmt.Sprintf(
				"allowedRoutes of its listeners do not allow HTTPRoutes of namespace %q: %s; "+
					"allow them there, or name another Gateway", o.Backend.Namespace, describe(p, listenerAllows)))
		case gatewayv1.RouteReasonNoMatchingListenerHostname:
			words = append(words, fmt.Sprintf(
				"spec.hostnames %q have nothing in common with the hostnames of its listeners: %s",
				o.Backend.Spec.Hostnames, describe(p, listenerHostname)))
		default: // Envoy Gateway's own words are quoted anyway
		}
	}
	if len(words) == 0 {
		return "Envoy Gateway refused it"
	}
	return strings.Join(words, "; ")
}

// describe lists the listeners that a parentRef selects, or all of them if it
// selects none.
func describe(p Parent, what func(gatewayv1.Listener) string) string {
	selected := slices.DeleteFunc(slices.Clone(p.Gateway.Spec.Listeners), func(l gatewayv1.Listener) bool {
		return !selects(p.Ref, l)
	})
	if len(selected) == 0 {
		selected = p.Gateway.Spec.Listeners
	}
	words := make([]string, 0, maxListed+1)
	for _, l := range selected {
		if len(words) == maxListed {
			words = append(words, "...")
			break
		}
		words = append(words, fmt.Sprintf("listener %s: %s", l.Name, what(l)))
	}
	return strings.Join(words, ", ")
}

func listenerPort(l gatewayv1.Listener) string {
	return fmt.Sprintf("port %d", l.Port)
}

func listenerHostname(l gatewayv1.Listener) string {
	return fmt.Sprintf("%q", hostOf(l))
}

func listenerAllows(l gatewayv1.Listener) string {
	from := string(gatewayv1.NamespacesFromSame)
	if l.AllowedRoutes == nil {
		return "namespaces from: " + from
	}
	if n := l.AllowedRoutes.Namespaces; n != nil {
		from = string(valueOr(n.From, gatewayv1.NamespacesFromSame))
		if n.Selector != nil && from == string(gatewayv1.NamespacesFromSelector) {
			from += " " + metav1.FormatLabelSelector(n.Selector)
		}
	}
	words := "namespaces from: " + from
	if len(l.AllowedRoutes.Kinds) > 0 && !slices.ContainsFunc(l.AllowedRoutes.Kinds, isHTTPRoute) {
		words += ", and no HTTPRoutes among its kinds"
	}
	return words
}

// evidence says what a condition of another controller is about.
type evidence struct {
	object     string
	generation int64
	parent     Parent
}

// current is a condition about the current generation. Otherwise the verdict
// says what is missing; it is True if the condition is.
func current(all []metav1.Condition, conditionType string, e evidence) (*metav1.Condition, verdict) {
	c := meta.FindStatusCondition(all, conditionType)
	if c == nil {
		return nil, silent(e.object, e.parent)
	}
	if c.ObservedGeneration != e.generation {
		return nil, pending(fmt.Sprintf("%s: the status that controller %q gave for %s is about an older generation",
			e.object, e.parent.ControllerName, gatewayName(e.parent)))
	}
	return c, verdict{status: c.Status, reason: c.Reason, message: c.Message}
}

// silent is the verdict on an object that nobody picked up.
func silent(object string, p Parent) verdict {
	return pending(fmt.Sprintf("%s has no status from controller %q for %s: "+
		"is Envoy Gateway running, and does it watch this namespace?", object, p.ControllerName, gatewayName(p)))
}

func gatewayName(p Parent) string {
	if p.Gateway != nil {
		return fmt.Sprintf("Gateway %s/%s", p.Gateway.Namespace, p.Gateway.Name)
	}
	return fmt.Sprintf("Gateway %s/%s", valueOr(p.Ref.Namespace, ""), p.Ref.Name)
}
