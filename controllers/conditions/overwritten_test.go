// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// overwritten adds a parent of a second Envoy Gateway. It took the route and
// wrote its status of our policies after the first one, whose word is lost. Its
// Envoys are as good as the others.
func overwritten(o *Observation) {
	ref := aRef("infra", "second")
	o.Parents = append(o.Parents, Parent{
		Ref: ref, Gateway: aGateway("infra", "second"), ControllerName: otherGateway, Controlled: true,
	})
	status := o.Route.Status.Parents[0].DeepCopy()
	status.ParentRef, status.ControllerName = ref, otherGateway
	o.Route.Status.Parents = append(o.Route.Status.Parents, *status)
	for _, ancestors := range [][]gatewayv1.PolicyAncestorStatus{
		o.ExtensionPolicy.Status.Ancestors, o.TrafficPolicy.Status.Ancestors,
	} {
		ancestors[0].AncestorRef, ancestors[0].ControllerName = ref, otherGateway
	}
	o.Canary.Probes = append(o.Canary.Probes, Probe{
		Gateway: "infra/second", Listener: "http", Envoy: "infra/second-1", Outcome: ProbeVerified,
	})
	o.Canary.Upstream = append(o.Canary.Upstream, answers("infra/second", "infra/second-1"))
}

// overwrittenAnd does something more to it.
func overwrittenAnd(change func(*Observation)) func(*Observation) {
	return func(o *Observation) {
		overwritten(o)
		change(o)
	}
}

var _ = DescribeTable("Programmed, with the status of one Envoy Gateway written over that of another", check,
	Entry("is True when the canary passes", overwritten, programmedIs(isTrue, v1alpha1.ReasonProgrammed)),
	Entry("is Unknown while the canary has no answer, and says who wrote what over whose",
		overwrittenAnd(func(o *Observation) { o.Canary = nil }),
		programmedIs(isUnknown, v1alpha1.ReasonPending, `controller "`+string(otherGateway)+`"`,
			"EnvoyExtensionPolicy tars over that of controller \""+string(envoyGateway), "BackendTrafficPolicy tars",
			"only the canary can tell", "no Envoy was asked")),
	Entry("says what the canary found", overwrittenAnd(func(o *Observation) {
		o.Canary.Probes[0].Outcome, o.Canary.Probes[0].Detail = ProbeWrong, "answered 500"
	}), programmedIs(isFalse, v1alpha1.ReasonUnexpectedAnswer, "only the canary can tell", "answered 500")),
	Entry("is Unknown while the Envoys of the other Gateway alone have answered", overwrittenAnd(func(o *Observation) {
		o.Canary.Probes[0].Outcome = ProbePending
	}), programmedIs(isUnknown, v1alpha1.ReasonPending, "only the canary can tell")),
	Entry("is Unknown when the canary is not possible, and says what to do", overwrittenAnd(func(o *Observation) {
		o.Canary = &CanaryReport{NotPossible: []string{"listener https speaks HTTPS"}}
	}), programmedIs(isUnknown, v1alpha1.ReasonPending, "Gateway infra/public", "one TarsBackend for the Gateways of each controller")),
	Entry("is False when the one whose word is there refuses a policy", overwrittenAnd(func(o *Observation) {
		o.extensionPolicySays(cond("Accepted", isFalse, "Invalid", "no"))
	}), programmedIs(isFalse, v1alpha1.ReasonPolicyNotAccepted, "Gateway infra/second, EnvoyExtensionPolicy tars: Invalid: no")),
	Entry("is Unknown when it was one that serves no parent", overwrittenAnd(func(o *Observation) {
		o.Parents = o.Parents[:1]
	}), programmedIs(isUnknown, v1alpha1.ReasonPending, "has no status from controller \""+string(envoyGateway))),
	Entry("is Unknown when the first one is there for another Gateway of its own", overwrittenAnd(func(o *Observation) {
		own := o.TrafficPolicy.Status.Ancestors[0].DeepCopy()
		own.ControllerName = envoyGateway
		o.TrafficPolicy.Status.Ancestors = append(o.TrafficPolicy.Status.Ancestors, *own)
	}), programmedIs(isUnknown, v1alpha1.ReasonPending, "BackendTrafficPolicy tars has no status from controller \""+string(envoyGateway))),
)

var _ = Describe("Two Envoy Gateways", func() {
	It("give each parent its own verdict", func() {
		o := good()
		overwritten(o)
		o.Canary.Probes[0].Outcome = ProbePending
		parents := Parents(*o)
		Expect(parents[0].Conditions[1].Status).To(Equal(isUnknown))
		Expect(parents[1].Conditions[1].Status).To(Equal(isTrue))
	})

	It("are not waited for where their word is lost, but for the one whose word is there", func() {
		o := good()
		overwritten(o)
		o.Canary = nil
		Expect(ChildrenAccepted(*o)).To(BeTrue())
		o.TrafficPolicy.Generation++
		Expect(ChildrenAccepted(*o)).To(BeFalse())
	})
})
