// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

const (
	isTrue    = metav1.ConditionTrue
	isFalse   = metav1.ConditionFalse
	isUnknown = metav1.ConditionUnknown
)

var _ = DescribeTable("Accepted", check,
	Entry("is True when every Gateway took the route", func(*Observation) {},
		accepted(isTrue, v1alpha1.ReasonAccepted)),
	Entry("is False when the endpoint is not allowed", func(o *Observation) {
		o.Refused = []Finding{{Reason: v1alpha1.ReasonEndpointNotAllowed, Message: "host x is not allowed"}}
	}, accepted(isFalse, v1alpha1.ReasonEndpointNotAllowed, "host x is not allowed")),
	Entry("is False when an older TarsBackend serves the same on one parent", func(o *Observation) {
		o.Parents[0].Refused = []Finding{{Reason: v1alpha1.ReasonConflicted, Message: "team/older serves it"}}
	}, accepted(isFalse, v1alpha1.ReasonConflicted, "team/older serves it")),
	Entry("is False when a foreign object has a child's name", func(o *Observation) {
		o.Conflicts = []Finding{{Reason: v1alpha1.ReasonNameConflict, Message: "Service tars-extproc is not ours"}}
	}, accepted(isFalse, v1alpha1.ReasonNameConflict, "Service tars-extproc is not ours")),
	Entry("names every finding, and the first one's reason", func(o *Observation) {
		o.Refused = []Finding{{Reason: v1alpha1.ReasonEndpointNotAllowed, Message: "first"}}
		o.Conflicts = []Finding{{Reason: v1alpha1.ReasonNameConflict, Message: "second"}}
	}, accepted(isFalse, v1alpha1.ReasonEndpointNotAllowed, "first. Also: second")),
	Entry("is False for a Gateway of another controller", func(o *Observation) {
		o.Parents[0].Controlled, o.Parents[0].ControllerName = false, otherGateway
	}, accepted(isFalse, v1alpha1.ReasonNotEnvoyGateway, "Gateway infra/public", string(otherGateway), "--gateway-controller-names")),
	Entry("is Unknown while a finding could not be made sure", func(o *Observation) {
		o.Refused = []Finding{{Reason: v1alpha1.ReasonReconcileError, Message: "listing TarsBackends", Unknown: true}}
	}, accepted(isUnknown, v1alpha1.ReasonReconcileError)),
	Entry("is Unknown before the references were looked at", func(o *Observation) {
		o.Resolved = false
	}, accepted(isUnknown, v1alpha1.ReasonPending)),
	Entry("is False when a Gateway refuses while a finding is not sure", func(o *Observation) {
		o.Refused = []Finding{{Reason: v1alpha1.ReasonReconcileError, Message: "listing TarsBackends", Unknown: true}}
		o.routeSays(cond("Accepted", isFalse, "NoMatchingParent", ""))
	}, accepted(isFalse, v1alpha1.ReasonListenerRefused)),
	Entry("is Unknown before the children are applied", func(o *Observation) {
		o.Applied = false
	}, accepted(isUnknown, v1alpha1.ReasonPending, "not all applied yet")),
	Entry("is Unknown while there is no route", func(o *Observation) {
		o.Route = nil
	}, accepted(isUnknown, v1alpha1.ReasonPending, "does not exist yet")),
	Entry("is Unknown, naming all, when nobody picked the route up", func(o *Observation) {
		o.Route.Status.Parents = nil
	}, accepted(isUnknown, v1alpha1.ReasonPending,
		`HTTPRoute tars has no status from controller "`+string(envoyGateway)+`" for Gateway infra/public`)),
	Entry("is Unknown when only another controller took the route", func(o *Observation) {
		o.Route.Status.Parents[0].ControllerName = otherGateway
	}, accepted(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown when only another listener took the route", func(o *Observation) {
		o.Route.Status.Parents[0].ParentRef.SectionName = new(gatewayv1.SectionName("https"))
	}, accepted(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown when only another port took the route", func(o *Observation) {
		o.Route.Status.Parents[0].ParentRef.Port = new(gatewayv1.PortNumber(8080))
	}, accepted(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown when only a Gateway of another namespace took the route", func(o *Observation) {
		o.Route.Status.Parents[0].ParentRef.Namespace = nil
	}, accepted(isUnknown, v1alpha1.ReasonPending)),
	Entry("is True when the status leaves defaults out", func(o *Observation) {
		o.Parents[0].Ref.Namespace = new(gatewayv1.Namespace("team"))
		o.Parents[0].Gateway.Namespace = "team"
		o.Route.Status.Parents[0].ParentRef = gatewayv1.ParentReference{Name: "public"}
	}, accepted(isTrue, v1alpha1.ReasonAccepted)),
	Entry("is Unknown when the status is about an older generation", func(o *Observation) {
		o.Route.Generation++
	}, accepted(isUnknown, v1alpha1.ReasonPending, "older generation")),
	Entry("is Unknown when the status has no Accepted", func(o *Observation) {
		o.Route.Status.Parents[0].Conditions = o.Route.Status.Parents[0].Conditions[1:]
	}, accepted(isUnknown, v1alpha1.ReasonPending, "has no status")),
	Entry("is Unknown when Envoy Gateway does not know", func(o *Observation) {
		o.routeSays(cond("Accepted", isUnknown, "Pending", "waiting for controller"))
	}, accepted(isUnknown, v1alpha1.ReasonPending, "waiting for controller")),
	Entry("is Unknown without any parent", func(o *Observation) {
		o.Parents = nil
	}, accepted(isUnknown, v1alpha1.ReasonPending)),
	Entry("is not True while one of two parents is silent", func(o *Observation) {
		o.Parents = append(o.Parents, Parent{
			Ref: aRef("infra", "second"), Gateway: aGateway("infra", "second"), ControllerName: envoyGateway, Controlled: true,
		})
	}, accepted(isUnknown, v1alpha1.ReasonPending, "Gateway infra/second")),
	Entry("names the listener's allowedRoutes when they do not allow us", func(o *Observation) {
		o.gateway().Spec.Listeners[0].AllowedRoutes = nil
		o.routeSays(cond("Accepted", isFalse, "NotAllowedByListeners", "No listeners allowed this."))
	}, accepted(isFalse, v1alpha1.ReasonListenerRefused, `namespace "team"`, "listener http: namespaces from: Same",
		"NotAllowedByListeners: No listeners allowed this.")),
	Entry("names a listener's selector and kinds", func(o *Observation) {
		o.gateway().Spec.Listeners[0].AllowedRoutes = &gatewayv1.AllowedRoutes{
			Namespaces: &gatewayv1.RouteNamespaces{
				From:     new(gatewayv1.NamespacesFromSelector),
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"llm": "yes"}},
			},
			Kinds: []gatewayv1.RouteGroupKind{{Kind: "GRPCRoute"}},
		}
		o.routeSays(cond("Accepted", isFalse, "NotAllowedByListeners", ""))
	}, accepted(isFalse, v1alpha1.ReasonListenerRefused, "Selector llm=yes", "no HTTPRoutes among its kinds")),
	Entry("names the hostnames when they do not intersect", func(o *Observation) {
		o.Backend.Spec.Hostnames = []gatewayv1.Hostname{"a.example.com"}
		o.gateway().Spec.Listeners[0].Hostname = new(gatewayv1.Hostname("b.example.com"))
		o.routeSays(cond("Accepted", isFalse, "NoMatchingListenerHostname", ""))
	}, accepted(isFalse, v1alpha1.ReasonListenerRefused, `["a.example.com"]`, `listener http: "b.example.com"`)),
	Entry("names the listeners when the parentRef matches none", func(o *Observation) {
		section := new(gatewayv1.SectionName("https"))
		o.Parents[0].Ref.SectionName, o.Route.Status.Parents[0].ParentRef.SectionName = section, section
		o.routeSays(cond("Accepted", isFalse, "NoMatchingParent", ""))
	}, accepted(isFalse, v1alpha1.ReasonListenerRefused, "listener http: port 80")),
	Entry("keeps every one of several reasons", func(o *Observation) {
		o.routeSays(cond("Accepted", isFalse, "NoMatchingParent,UnsupportedValue", "line one\nline two"))
	}, accepted(isFalse, v1alpha1.ReasonListenerRefused, "NoMatchingParent, UnsupportedValue: line one line two")),
)
