// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// noAddress makes the Gateway one that nobody assigned an address.
func noAddress(o *Observation) {
	o.gateway().Status.Addresses = nil
	o.gatewaySays(cond("Programmed", isFalse, "AddressNotAssigned", "No addresses have been assigned"))
}

var _ = DescribeTable("Programmed, our objects", check,
	Entry("is True when Envoy Gateway accepted everything", func(*Observation) {},
		programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is Unknown before the children are applied", func(o *Observation) { o.Applied = false },
		programmedIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown without parents", func(o *Observation) { o.Parents = nil },
		programmedIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown without the Backend", func(o *Observation) { o.Endpoint = nil },
		programmedIs(isUnknown, v1alpha1.ReasonPending, "the Backend does not exist yet")),
	Entry("is Unknown while the Backend has no status", func(o *Observation) { o.Endpoint.Status.Conditions = nil },
		programmedIs(isUnknown, v1alpha1.ReasonPending, "Backend tars has no status")),
	Entry("is Unknown while the Backend's status is old", func(o *Observation) { o.Endpoint.Generation++ },
		programmedIs(isUnknown, v1alpha1.ReasonPending, "Backend tars has no status about its current generation")),
	Entry("is False when the Backend is refused by a condition of type Invalid beside an older Accepted",
		func(o *Observation) {
			o.Endpoint.Generation = 5
			set(&o.Endpoint.Status.Conditions, observed(cond("Invalid", isFalse, "Accepted", "no CA in ConfigMap ca"), 5))
		}, programmedIs(isFalse, v1alpha1.ReasonBackendNotAccepted, "Backend tars: Invalid: no CA in ConfigMap ca")),
	Entry("is False when the Backend turned Invalid at the same generation and the route says so too",
		func(o *Observation) {
			set(&o.Endpoint.Status.Conditions, observed(cond("Invalid", isFalse, "Accepted", "no CA"), 4))
			o.routeSays(cond("ResolvedRefs", isFalse, "InvalidBackendRef", ""))
		}, programmedIs(isFalse, v1alpha1.ReasonBackendNotAccepted, "no CA", "InvalidBackendRef")),
	Entry("is True when an Invalid is left over and the route resolves the Backend again",
		func(o *Observation) {
			set(&o.Endpoint.Status.Conditions, observed(cond("Invalid", isFalse, "Accepted", "no CA"), 4))
		}, programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is True when an Invalid is about an older generation", func(o *Observation) {
		set(&o.Endpoint.Status.Conditions, observed(cond("Invalid", isFalse, "Accepted", "no CA"), 3))
	}, programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is False when the Backend is not Accepted", func(o *Observation) {
		set(&o.Endpoint.Status.Conditions, observed(cond("Accepted", isFalse, "Invalid", "bad TLS"), 4))
	}, programmedIs(isFalse, v1alpha1.ReasonBackendNotAccepted, "Invalid: bad TLS")),
	Entry("is False when the route does not resolve, with all reasons", func(o *Observation) {
		o.routeSays(cond("ResolvedRefs", isFalse, "BackendNotFound,InvalidBackendFilters", "rule 1\nrule 2"))
	}, programmedIs(isFalse, v1alpha1.ReasonRouteNotResolved, "BackendNotFound, InvalidBackendFilters: rule 1 rule 2")),
	Entry("is False when a rule of the route was dropped", func(o *Observation) {
		o.routeSays(cond("PartiallyInvalid", isTrue, "UnsupportedValue", "Dropped Rule(s) [1]"))
	}, programmedIs(isFalse, v1alpha1.ReasonRouteNotResolved, "Dropped Rule(s) [1]")),
	Entry("is True when a rule was dropped from an older generation", func(o *Observation) {
		o.routeSays(cond("PartiallyInvalid", isTrue, "UnsupportedValue", "Dropped Rule(s) [1]"))
		o.Route.Status.Parents[0].Conditions[2].ObservedGeneration--
	}, programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is True while the external processor has no endpoint: ExtProcAvailable tells that", func(o *Observation) {
		o.routeSays(cond("BackendsAvailable", isFalse, "EndpointsNotFound", "none"))
	}, programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is Unknown when the route has no ResolvedRefs", func(o *Observation) {
		o.Route.Status.Parents[0].Conditions = o.Route.Status.Parents[0].Conditions[:1]
	}, programmedIs(isUnknown, v1alpha1.ReasonPending, "HTTPRoute tars has no status")),
	Entry("is Unknown when Envoy Gateway does not know if the route resolves", func(o *Observation) {
		o.routeSays(cond("ResolvedRefs", isUnknown, "Pending", "later"))
	}, programmedIs(isUnknown, v1alpha1.ReasonPending, "later")),
)

var _ = DescribeTable("Programmed, policies", check,
	Entry("is Unknown without the EnvoyExtensionPolicy", func(o *Observation) { o.ExtensionPolicy = nil },
		programmedIs(isUnknown, v1alpha1.ReasonPending, "EnvoyExtensionPolicy does not exist")),
	Entry("is Unknown without the BackendTrafficPolicy", func(o *Observation) { o.TrafficPolicy = nil },
		programmedIs(isUnknown, v1alpha1.ReasonPending, "BackendTrafficPolicy does not exist")),
	Entry("is Unknown, naming all, when nobody picked up a policy", func(o *Observation) {
		o.ExtensionPolicy.Status = gatewayv1.PolicyStatus{}
	}, programmedIs(isUnknown, v1alpha1.ReasonPending,
		`EnvoyExtensionPolicy tars has no status from controller "`+string(envoyGateway)+`" for Gateway infra/public`)),
	Entry("is Unknown when another controller answered", func(o *Observation) {
		o.TrafficPolicy.Status.Ancestors[0].ControllerName = otherGateway
	}, programmedIs(isUnknown, v1alpha1.ReasonPending, "BackendTrafficPolicy tars has no status")),
	Entry("is Unknown when the answer is for another Gateway", func(o *Observation) {
		o.TrafficPolicy.Status.Ancestors[0].AncestorRef.Name = "private"
	}, programmedIs(isUnknown, v1alpha1.ReasonPending, "BackendTrafficPolicy tars")),
	Entry("is Unknown when the answer is for another section", func(o *Observation) {
		o.TrafficPolicy.Status.Ancestors[0].AncestorRef.SectionName = new(gatewayv1.SectionName("https"))
	}, programmedIs(isUnknown, v1alpha1.ReasonPending, "BackendTrafficPolicy tars")),
	Entry("is True when the parentRef has a port, which ancestors leave out", func(o *Observation) {
		o.Parents[0].Ref.Port = new(gatewayv1.PortNumber(80))
		o.Route.Status.Parents[0].ParentRef.Port = new(gatewayv1.PortNumber(80))
	}, programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is Unknown when the answer is about an older generation", func(o *Observation) { o.ExtensionPolicy.Generation++ },
		programmedIs(isUnknown, v1alpha1.ReasonPending, "older generation")),
	Entry("is Unknown when Envoy Gateway left our Gateway out of a long list", func(o *Observation) {
		a := &o.ExtensionPolicy.Status.Ancestors[0]
		a.AncestorRef.Name = "another"
		set(&a.Conditions, observed(cond("Aggregated", isTrue, "Aggregated", ""), 1))
	}, programmedIs(isUnknown, v1alpha1.ReasonPending, "Aggregated", "Gateway infra/public is not among them")),
	Entry("is False when a policy conflicts with another", func(o *Observation) {
		o.extensionPolicySays(cond("Accepted", isFalse, "Conflicted", "Unable to target HTTPRoute tars"))
	}, programmedIs(isFalse, v1alpha1.ReasonPolicyNotAccepted, "EnvoyExtensionPolicy tars",
		"Conflicted: Unable to target HTTPRoute tars")),
	Entry("is False when a policy is overridden", func(o *Observation) {
		o.extensionPolicySays(cond("Overridden", isTrue, "Overridden", "by a policy for a rule"))
	}, programmedIs(isFalse, v1alpha1.ReasonPolicyNotAccepted, "by a policy for a rule")),
	Entry("is True when a policy was overridden in an older generation", func(o *Observation) {
		o.extensionPolicySays(cond("Overridden", isTrue, "Overridden", ""))
		o.ExtensionPolicy.Status.Ancestors[0].Conditions[1].ObservedGeneration--
	}, programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is True when a policy was merged with the Gateway's", func(o *Observation) {
		o.extensionPolicySays(cond("Merged", isTrue, "Merged", ""))
	}, programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is False when a policy could not be merged", func(o *Observation) {
		o.extensionPolicySays(cond("Merged", isFalse, "Invalid", "cannot merge"))
	}, programmedIs(isFalse, v1alpha1.ReasonPolicyNotAccepted, "cannot merge")),
	Entry("is True with a warning", func(o *Observation) {
		o.extensionPolicySays(cond("Warning", isTrue, "DeprecatedField", ""))
	}, programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is Unknown when Envoy Gateway does not know about a policy", func(o *Observation) {
		o.extensionPolicySays(cond("Accepted", isUnknown, "Pending", "later"))
	}, programmedIs(isUnknown, v1alpha1.ReasonPending, "later")),
)

var _ = DescribeTable("Programmed, Gateways", check,
	Entry("is False when the Gateway is not accepted", func(o *Observation) {
		o.gatewaySays(cond("Accepted", isFalse, "ListenersNotValid", "No listeners are valid: http"))
	}, programmedIs(isFalse, v1alpha1.ReasonGatewayNotProgrammed, "Gateway infra/public is not Accepted: ListenersNotValid")),
	Entry("is False when the Gateway has no Envoy", func(o *Observation) {
		o.gatewaySays(cond("Programmed", isFalse, "NoResources", "Envoy replicas unavailable"))
	}, programmedIs(isFalse, v1alpha1.ReasonGatewayNotProgrammed, "NoResources: Envoy replicas unavailable")),
	Entry("is Unknown when the Gateway's status is old", func(o *Observation) { o.gateway().Generation++ },
		programmedIs(isUnknown, v1alpha1.ReasonPending, "older generation")),
	Entry("is Unknown when Envoy Gateway does not know about the Gateway", func(o *Observation) {
		o.gatewaySays(cond("Programmed", isUnknown, "Pending", "waiting"))
	}, programmedIs(isUnknown, v1alpha1.ReasonPending, "Pending: waiting")),
	Entry("is Unknown when the Gateway has no status", func(o *Observation) { o.gateway().Status.Conditions = nil },
		programmedIs(isUnknown, v1alpha1.ReasonPending, "Gateway infra/public has no status")),
	Entry("is Unknown when the listener has no status", func(o *Observation) { o.gateway().Status.Listeners = nil },
		programmedIs(isUnknown, v1alpha1.ReasonPending, "listener http of Gateway infra/public has no status")),
	Entry("is False when the only listener does not work", func(o *Observation) {
		o.listenerSays(cond("Programmed", isFalse, "Invalid", "port conflict"))
	}, programmedIs(isFalse, v1alpha1.ReasonGatewayNotProgrammed, "listener http", "Invalid: port conflict")),
	Entry("is Unknown when Envoy Gateway does not know about the listener", func(o *Observation) {
		o.listenerSays(cond("Programmed", isUnknown, "Pending", "soon"))
	}, programmedIs(isUnknown, v1alpha1.ReasonPending, "Pending: soon")),
	Entry("is True when one of two listeners works", func(o *Observation) {
		o.gateway().Spec.Listeners = append([]gatewayv1.Listener{aListener("broken", gatewayv1.HTTPSProtocolType, 443, "")},
			o.gateway().Spec.Listeners...)
	}, programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is not True when only a listener works that the parentRef does not mean", func(o *Observation) {
		o.gateway().Spec.Listeners = append(o.gateway().Spec.Listeners, aListener("other", gatewayv1.HTTPProtocolType, 81, ""))
		o.Parents[0].Ref.Port = new(gatewayv1.PortNumber(81))
		o.Route.Status.Parents[0].ParentRef.Port = new(gatewayv1.PortNumber(81))
	}, programmedIs(isUnknown, v1alpha1.ReasonPending, "listener other")),
	Entry("is False when the parentRef means no listener", func(o *Observation) {
		o.Parents[0].Ref.Port = new(gatewayv1.PortNumber(81))
		o.Route.Status.Parents[0].ParentRef.Port = new(gatewayv1.PortNumber(81))
	}, programmedIs(isFalse, v1alpha1.ReasonGatewayNotProgrammed, "no listener that the parentRef selects", "listener http: port 80")),
	Entry("is True without an address when the canary passes", noAddress,
		programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is Unknown without an address while the canary has no answer", func(o *Observation) {
		noAddress(o)
		o.Canary = nil
	}, programmedIs(isUnknown, v1alpha1.ReasonPending, "Gateway infra/public has no address", "no Envoy was asked")),
	Entry("says what the canary found when there is no address", func(o *Observation) {
		noAddress(o)
		o.Canary.Probes[0].Outcome, o.Canary.Probes[0].Detail = ProbeWrong, "answered 404"
	}, programmedIs(isFalse, v1alpha1.ReasonUnexpectedAnswer, "has no address", "answered 404")),
	Entry("is False without an address when the canary is not possible", func(o *Observation) {
		noAddress(o)
		o.Canary = &CanaryReport{NotPossible: []string{"listener https speaks HTTPS"}}
	}, programmedIs(isFalse, v1alpha1.ReasonGatewayNotProgrammed, "AddressNotAssigned")),
	Entry("is True without an address when this Gateway's canary passes and another's is not possible", func(o *Observation) {
		noAddress(o)
		o.Canary.NotPossible = []string{"listener https of Gateway infra/second speaks HTTPS"}
	}, programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
)

var _ = DescribeTable("ChildrenAccepted", func(change func(*Observation), want bool) {
	o := good()
	change(o)
	Expect(ChildrenAccepted(*o)).To(Equal(want))
},
	Entry("is true when all are accepted", func(*Observation) {}, true),
	Entry("does not wait for the canary, the route or the Gateway", func(o *Observation) {
		o.Canary, o.Deployment, o.Route = nil, nil, nil
		o.gateway().Status = gatewayv1.GatewayStatus{}
	}, true),
	Entry("waits for the EnvoyExtensionPolicy", func(o *Observation) { o.ExtensionPolicy.Generation++ }, false),
	Entry("waits for the BackendTrafficPolicy", func(o *Observation) { o.TrafficPolicy.Generation++ }, false),
	Entry("waits for the Backend", func(o *Observation) { o.Endpoint.Generation++ }, false),
	Entry("waits for every parent", func(o *Observation) {
		o.Parents = append(o.Parents, Parent{
			Ref: aRef("infra", "second"), Gateway: aGateway("infra", "second"), ControllerName: envoyGateway, Controlled: true,
		})
	}, false),
	Entry("is false without parents", func(o *Observation) { o.Parents = nil }, false),
	Entry("is false before the children are applied", func(o *Observation) { o.Applied = false }, false),
)

var _ = Describe("a quoted message", func() {
	quoted := func(message string) string {
		o := good()
		o.routeSays(cond("ResolvedRefs", isFalse, "UnsupportedValue", message))
		return routeResolved(*o, o.Parents[0]).condition("x", 1).Message
	}
	It("is bounded, and cut between characters", func() {
		m := quoted(strings.Repeat("ü", maxQuote))
		Expect(m).To(HaveSuffix("ü" + cut))
		Expect(len(m)).To(BeNumerically("<", maxQuote+100))
	})
	It("makes no condition longer than the API server takes", func() {
		o := good()
		o.Failure = strings.Repeat("x", maxMessage+1)
		c := meta.FindStatusCondition(Compute(*o), v1alpha1.ConditionReady)
		Expect(c.Message).To(And(HaveLen(maxMessage), HaveSuffix("x"+cut)))
	})
	It("loses what looks like a key", func() {
		m := quoted("header Authorization: Bearer abc.def-ghi, or sk-0123456789 is wrong")
		Expect(m).NotTo(Or(ContainSubstring("abc.def"), ContainSubstring("sk-0123")))
		Expect(m).To(ContainSubstring("is wrong"))
	})
})
