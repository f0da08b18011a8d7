// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// breakage breaks one link, each by bad news.
type breakage func(*Observation)

// links are the breakages in causal order, with Ready's reason.
var links = []struct {
	reason string
	breaks breakage
}{
	{v1alpha1.ReasonEndpointNotAllowed, func(o *Observation) {
		o.Refused = []Finding{{Reason: v1alpha1.ReasonEndpointNotAllowed, Message: "m"}}
	}},
	{v1alpha1.ReasonSecretNotFound, func(o *Observation) {
		o.Unresolved = []Finding{{Reason: v1alpha1.ReasonSecretNotFound, Message: "m"}}
	}},
	{v1alpha1.ReasonListenerRefused, func(o *Observation) {
		o.routeSays(cond("Accepted", isFalse, "NoMatchingParent", ""))
	}},
	{v1alpha1.ReasonPolicyNotAccepted, func(o *Observation) {
		o.extensionPolicySays(cond("Accepted", isFalse, "Invalid", ""))
	}},
	{v1alpha1.ReasonScaledToZero, func(o *Observation) { *o.Deployment.Spec.Replicas = 0 }},
	{v1alpha1.ReasonUnexpectedAnswer, func(o *Observation) { o.Canary.Probes[0].Outcome = ProbeWrong }},
	{v1alpha1.ReasonTLSFailed, func(o *Observation) { o.Canary.Upstream[0].Reach.Outcome = UpstreamTLS }},
	{v1alpha1.ReasonKeyRejected, func(o *Observation) { o.Canary.Upstream[0].Key.Outcome = UpstreamRejected }},
}

var _ = Describe("Ready", func() {
	compute := func(o *Observation, conditionType string) *metav1.Condition {
		return meta.FindStatusCondition(Compute(*o), conditionType)
	}

	It("is True when every link holds, and says what works", func() {
		o := good()
		ready := compute(o, v1alpha1.ConditionReady)
		Expect(ready.Status).To(Equal(isTrue))
		Expect(ready.Reason).To(Equal(v1alpha1.ReasonReady))
		Expect(ready.Message).To(Equal("requests to http://192.0.2.7/v1 reach api.router.tetrate.ai " +
			"with the key sha256:1f3a9c2e; every ready Envoy answers with the current configuration"))
	})
	It("says so without a URL and a fingerprint too", func() {
		o := good()
		noAddress(o)
		o.CredentialFingerprint = ""
		Expect(compute(o, v1alpha1.ConditionReady).Message).To(HavePrefix(
			"requests to every Gateway of spec.parentRefs reach api.router.tetrate.ai; every"))
	})
	It("takes the first broken link of several for its reason", func() {
		for first := range links {
			o := good()
			for _, l := range links[first:] {
				l.breaks(o)
			}
			ready := compute(o, v1alpha1.ConditionReady)
			Expect(ready.Status).To(Equal(isFalse))
			Expect(ready.Reason).To(Equal(links[first].reason))
		}
	})
	It("has the message of the condition that gave the reason", func() {
		o := good()
		o.Canary.Probes[0].Outcome, o.Canary.Probes[0].Detail = ProbeWrong, "answered 404"
		Expect(compute(o, v1alpha1.ConditionReady).Message).To(
			Equal(compute(o, v1alpha1.ConditionDataPlaneVerified).Message))
	})
	It("is Unknown when nothing is bad and something is not known", func() {
		o := good()
		o.Canary = nil
		ready := compute(o, v1alpha1.ConditionReady)
		Expect(ready.Status).To(Equal(isUnknown))
		Expect(ready.Reason).To(Equal(v1alpha1.ReasonPending))
	})
	It("is False when something is bad behind what is not known, with the reason of the first", func() {
		o := good()
		o.Route.Status.Parents = nil
		o.Canary.Probes[0].Outcome = ProbeWrong
		ready := compute(o, v1alpha1.ConditionReady)
		Expect(ready.Status).To(Equal(isFalse))
		Expect(ready.Reason).To(Equal(v1alpha1.ReasonPending))
		Expect(ready.Message).To(ContainSubstring("HTTPRoute tars has no status"))
	})

	Context("with readiness.dataPlane Informational", func() {
		informational := func() *Observation {
			o := good()
			o.Backend.Spec.Readiness.DataPlane = v1alpha1.ReadinessInformational
			return o
		}
		It("does not wait for DataPlaneVerified, and says that it is not verified", func() {
			o := informational()
			o.Canary = &CanaryReport{NotPossible: []string{"listener https speaks HTTPS"}}
			ready := compute(o, v1alpha1.ConditionReady)
			Expect(ready.Status).To(Equal(isTrue))
			Expect(ready.Message).To(And(ContainSubstring("the data plane is not verified"), ContainSubstring("speaks HTTPS")))
			Expect(compute(o, v1alpha1.ConditionDataPlaneVerified).Status).To(Equal(isUnknown))
			Expect(compute(o, v1alpha1.ConditionReconciling)).To(BeNil())
		})
		It("does not wait for what the upstream would tell, and says no to bad news of it", func() {
			for _, outcome := range []UpstreamOutcome{UpstreamPending, UpstreamImpossible, UpstreamUnexpected} {
				o := informational()
				o.Canary.Upstream[0].Reach.Outcome, o.Canary.Upstream[0].Key.Outcome = outcome, outcome
				Expect(compute(o, v1alpha1.ConditionReady).Status).To(Equal(isTrue))
			}
			o := informational()
			o.Canary.Upstream[0].Key.Outcome = UpstreamNoCredits
			Expect(compute(o, v1alpha1.ConditionReady).Reason).To(Equal(v1alpha1.ReasonCreditsExhausted))
		})
		It("still waits for everything else", func() {
			for _, l := range links {
				if l.reason == v1alpha1.ReasonUnexpectedAnswer {
					continue // DataPlaneVerified's
				}
				o := informational()
				l.breaks(o)
				Expect(compute(o, v1alpha1.ConditionReady).Reason).To(Equal(l.reason))
			}
		})
	})
	It("waits for DataPlaneVerified when the mode is not set", func() {
		o := good()
		o.Backend.Spec.Readiness.DataPlane = ""
		o.Canary = nil
		Expect(compute(o, v1alpha1.ConditionReady).Status).To(Equal(isUnknown))
	})
})

var _ = Describe("kstatus", func() {
	It("sees neither Reconciling nor Stalled on a Ready object", func() {
		Expect(typesOf(good())).To(Equal(allTypes))
	})
	DescribeTable("sees Stalled only where a human has to change a spec",
		func(reason string, stalled bool) {
			o := good()
			o.Refused = []Finding{{Reason: reason, Message: "m"}}
			last := v1alpha1.ConditionReconciling
			if stalled {
				last = v1alpha1.ConditionStalled
			}
			Expect(typesOf(o)).To(Equal(append(append([]string{}, allTypes...), last)))
			c := meta.FindStatusCondition(Compute(*o), last)
			Expect([]string{string(c.Status), c.Reason, c.Message}).To(Equal([]string{"True", reason, "m"}))
		},
		Entry("an endpoint that is not allowed", v1alpha1.ReasonEndpointNotAllowed, true),
		Entry("a conflict", v1alpha1.ReasonConflicted, true),
		Entry("a Gateway of another controller", v1alpha1.ReasonNotEnvoyGateway, true),
		Entry("not a child's name, which garbage collection may free", v1alpha1.ReasonNameConflict, false),
		Entry("not an error of the API server", v1alpha1.ReasonReconcileError, false),
	)
	It("does not see Stalled while a conflict is only suspected", func() {
		o := good()
		o.Refused = []Finding{{Reason: v1alpha1.ReasonConflicted, Message: "m", Unknown: true}}
		Expect(typesOf(o)).To(ContainElement(v1alpha1.ConditionReconciling))
		Expect(typesOf(o)).NotTo(ContainElement(v1alpha1.ConditionStalled))
	})
	It("sees Reconciling while a Secret is waited for", func() {
		o := good()
		links[1].breaks(o)
		Expect(typesOf(o)).To(ContainElement(v1alpha1.ConditionReconciling))
	})
})

var _ = Describe("a paused TarsBackend", func() {
	It("is Unknown all over, and neither Reconciling nor Stalled", func() {
		o := good()
		o.Backend.Annotations = map[string]string{v1alpha1.AnnotationPaused: "true"}
		Expect(typesOf(o)).To(Equal(allTypes))
		for _, c := range append(Compute(*o), Parents(*o)[0].Conditions...) {
			Expect([]string{string(c.Status), c.Reason}).To(Equal([]string{"Unknown", v1alpha1.ReasonPaused}), c.Type)
			Expect(c.Message).To(ContainSubstring(v1alpha1.AnnotationPaused))
		}
	})
	It("is one only with the value true", func() {
		o := good()
		o.Backend.Annotations = map[string]string{v1alpha1.AnnotationPaused: "false"}
		Expect(meta.IsStatusConditionTrue(Compute(*o), v1alpha1.ConditionReady)).To(BeTrue())
	})
})

var _ = Describe("an error of the API server", func() {
	It("makes unknown what follows from the children", func() {
		o := good()
		o.Failure = "applying HTTPRoute team/tars: timeout"
		computed := Compute(*o)
		for _, t := range allTypes {
			c := meta.FindStatusCondition(computed, t)
			if t == v1alpha1.ConditionResolvedRefs {
				Expect(c.Status).To(Equal(isTrue))
				continue
			}
			Expect([]string{string(c.Status), c.Reason, c.Message}).To(
				Equal([]string{"Unknown", v1alpha1.ReasonReconcileError, o.Failure}), t)
		}
		Expect(Parents(*o)[0].Conditions[1].Reason).To(Equal(v1alpha1.ReasonReconcileError))
	})
	It("leaves bad news as it is", func() {
		o := good()
		o.Failure = "reading: timeout"
		*o.Deployment.Spec.Replicas = 0
		Expect(meta.FindStatusCondition(Compute(*o), v1alpha1.ConditionExtProcAvailable).Reason).To(
			Equal(v1alpha1.ReasonScaledToZero))
	})
	It("is what keeps the references from being looked at", func() {
		o := &Observation{Backend: good().Backend, Failure: "reading Secret: forbidden"}
		c := meta.FindStatusCondition(Compute(*o), v1alpha1.ConditionResolvedRefs)
		Expect([]string{string(c.Status), c.Reason, c.Message}).To(
			Equal([]string{"Unknown", v1alpha1.ReasonReconcileError, o.Failure}))
	})
})

var _ = Describe("what nothing was applied for", func() {
	It("points at Accepted", func() {
		o := good()
		links[0].breaks(o)
		o.Applied = false
		Expect(meta.FindStatusCondition(Compute(*o), v1alpha1.ConditionProgrammed).Message).To(ContainSubstring("until Accepted"))
	})
	It("points at ResolvedRefs", func() {
		o := good()
		links[1].breaks(o)
		o.Applied = false
		Expect(meta.FindStatusCondition(Compute(*o), v1alpha1.ConditionProgrammed).Message).To(ContainSubstring("until ResolvedRefs"))
	})
})

var _ = Describe("parents", func() {
	It("have their own conditions and addresses, in the order of the spec", func() {
		o := good()
		second := Parent{Ref: aRef("infra", "second"), Gateway: aGateway("infra", "second"), ControllerName: otherGateway}
		o.Parents = append(o.Parents, second, Parent{Ref: aRef("infra", "third")})
		parents := Parents(*o)
		Expect(parents).To(HaveLen(3))
		Expect(parents[0].ParentRef).To(Equal(o.Parents[0].Ref))
		Expect(parents[0].Addresses).To(Equal([]string{"192.0.2.7"}))
		for i, reasons := range [][]string{
			{v1alpha1.ReasonAccepted, v1alpha1.ReasonProgrammed},
			{v1alpha1.ReasonNotEnvoyGateway, v1alpha1.ReasonNotEnvoyGateway},
			{v1alpha1.ReasonGatewayNotFound, v1alpha1.ReasonGatewayNotFound},
		} {
			c := parents[i].Conditions
			Expect([]string{c[0].Type, c[1].Type}).To(Equal([]string{v1alpha1.ConditionAccepted, v1alpha1.ConditionProgrammed}))
			Expect([]string{c[0].Reason, c[1].Reason}).To(Equal(reasons))
			Expect([]int64{c[0].ObservedGeneration, c[1].ObservedGeneration}).To(Equal([]int64{generation, generation}))
			isAccepted := c[0].Status == isTrue
			Expect(isAccepted).To(Equal(i == 0))
		}
	})
	It("does not call a Gateway missing before the references were looked at", func() {
		o := &Observation{Backend: good().Backend, Parents: []Parent{{Ref: aRef("infra", "public")}}}
		Expect(Parents(*o)[0].Conditions[0].Status).To(Equal(isUnknown))
	})
	It("lists no more addresses than the CRD takes", func() {
		o := good()
		for range 20 {
			o.gateway().Status.Addresses = append(o.gateway().Status.Addresses, gatewayv1.GatewayStatusAddress{Value: "192.0.2.8"})
		}
		Expect(Parents(*o)[0].Addresses).To(HaveLen(16))
	})
})

func typesOf(o *Observation) []string {
	var types []string
	for _, c := range Compute(*o) {
		types = append(types, c.Type)
	}
	return types
}
