// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

const (
	rounds  = 3000
	planted = "sk-planted-0123456789"
)

// withoutEvidence are changes that take one piece of evidence away or make it
// old: none of them may leave Ready True.
var withoutEvidence = map[string]func(*Observation){
	"not resolved":             func(o *Observation) { o.Resolved = false },
	"no parents":               func(o *Observation) { o.Parents = nil },
	"no Gateway":               func(o *Observation) { o.Parents[0].Gateway = nil },
	"no class":                 func(o *Observation) { o.Parents[0].ControllerName = "" },
	"not controlled":           func(o *Observation) { o.Parents[0].Controlled = false },
	"not applied":              func(o *Observation) { o.Applied = false },
	"no config hash":           func(o *Observation) { o.ConfigHash = "" },
	"failure":                  func(o *Observation) { o.Failure = "timeout" },
	"no route":                 func(o *Observation) { o.Route = nil },
	"silent route":             func(o *Observation) { o.Route.Status.Parents = nil },
	"old route":                func(o *Observation) { o.Route.Generation++ },
	"no Accepted":              func(o *Observation) { drop(&o.Route.Status.Parents[0].Conditions, "Accepted") },
	"no ResolvedRefs":          func(o *Observation) { drop(&o.Route.Status.Parents[0].Conditions, "ResolvedRefs") },
	"no extension policy":      func(o *Observation) { o.ExtensionPolicy = nil },
	"silent extension":         func(o *Observation) { o.ExtensionPolicy.Status.Ancestors = nil },
	"old extension":            func(o *Observation) { o.ExtensionPolicy.Generation++ },
	"no traffic policy":        func(o *Observation) { o.TrafficPolicy = nil },
	"silent traffic policy":    func(o *Observation) { o.TrafficPolicy.Status.Ancestors = nil },
	"old traffic policy":       func(o *Observation) { o.TrafficPolicy.Generation++ },
	"no backend":               func(o *Observation) { o.Endpoint = nil },
	"silent backend":           func(o *Observation) { o.Endpoint.Status.Conditions = nil },
	"old backend":              func(o *Observation) { o.Endpoint.Generation++ },
	"no deployment":            func(o *Observation) { o.Deployment = nil },
	"old deployment":           func(o *Observation) { o.Deployment.Generation++ },
	"other deployment":         func(o *Observation) { o.Deployment.Spec.Template.Annotations = nil },
	"no canary":                func(o *Observation) { o.Canary = nil },
	"empty canary":             func(o *Observation) { o.Canary.Probes = nil },
	"pending canary":           func(o *Observation) { o.Canary.Probes[0].Outcome = ProbePending },
	"fresh stale canary":       func(o *Observation) { o.Canary.Probes[0].Outcome, o.Canary.Probes[0].Fresh = ProbeStale, true },
	"canary elsewhere":         func(o *Observation) { o.Canary.Probes[0].Gateway = "infra/other" },
	"upstream not asked":       func(o *Observation) { o.Canary.Upstream = nil },
	"upstream asked of others": func(o *Observation) { o.Canary.Upstream[0].Gateway = "infra/other" },
	"upstream pending":         func(o *Observation) { o.Canary.Upstream[0].Reach.Outcome = UpstreamPending },
	"key pending":              func(o *Observation) { o.Canary.Upstream[0].Key.Outcome = UpstreamPending },
	"upstream only joined":     func(o *Observation) { o.Canary.Upstream[0].Reach.Outcome = UpstreamJoined },
	"key only joined":          func(o *Observation) { o.Canary.Upstream[0].Key.Outcome = UpstreamJoined },
	"silent Gateway":           func(o *Observation) { o.gateway().Status.Conditions = nil },
	"old Gateway":              func(o *Observation) { o.gateway().Generation++ },
	"no Gateway.Programmed":    func(o *Observation) { drop(&o.gateway().Status.Conditions, "Programmed") },
	"no Gateway.Accepted":      func(o *Observation) { drop(&o.gateway().Status.Conditions, "Accepted") },
	"silent listener":          func(o *Observation) { o.gateway().Status.Listeners = nil },
	"paused":                   func(o *Observation) { o.Backend.Annotations = map[string]string{v1alpha1.AnnotationPaused: "true"} },
	"another's route status":   func(o *Observation) { o.Route.Status.Parents[0].ControllerName = otherGateway },
}

func drop(all *[]metav1.Condition, conditionType string) {
	meta.RemoveStatusCondition(all, conditionType)
}

// harmless are changes that, alone, leave Ready True.
var harmless = map[string]func(*Observation){
	"informational": func(o *Observation) { o.Backend.Spec.Readiness.DataPlane = v1alpha1.ReadinessInformational },
	"no address":    noAddress,
	"not verified": func(o *Observation) {
		o.Backend.Spec.Credential.Verification.Mode = v1alpha1.VerificationDisabled
		o.Canary.Upstream[0].Key.Outcome = UpstreamPending
	},
	"models missing": func(o *Observation) { o.Canary.Models = []string{} },
	"models unknown": func(o *Observation) { o.Canary.Models = nil },
	"direct":         func(o *Observation) { o.Canary.DirectReach = true },
	"upstream joined": func(o *Observation) {
		o.Canary.Upstream = append(o.Canary.Upstream, UpstreamProbe{
			Gateway: "infra/public", Envoy: "eg/envoy-2",
			Reach: UpstreamVerdict{Outcome: UpstreamJoined}, Key: UpstreamVerdict{Outcome: UpstreamJoined},
		})
	},
	"joined":    also(ProbeJoined, ""),
	"hostnames": hostnames("a.example.com"),
	"one ready": func(o *Observation) { o.Deployment.Status.AvailableReplicas = 1 },
	"merged":    func(o *Observation) { o.extensionPolicySays(cond("Merged", isTrue, "Merged", "")) },
	"invalid left": func(o *Observation) {
		set(&o.Endpoint.Status.Conditions, observed(cond("Invalid", isFalse, "Accepted", ""), 4))
	},
	"overwritten": overwritten,
	"other statuses": func(o *Observation) {
		o.Route.Status.Parents = append([]gatewayv1.RouteParentStatus{{ControllerName: otherGateway}}, o.Route.Status.Parents...)
	},
}

// changes are all of them and the breakages, in a fixed order.
func changes() []func(*Observation) {
	var all []func(*Observation)
	for _, set := range []map[string]func(*Observation){withoutEvidence, harmless} {
		names := make([]string, 0, len(set))
		for name := range set {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			all = append(all, set[name])
		}
	}
	for _, l := range links {
		all = append(all, l.breaks)
	}
	for _, outcome := range []ProbeOutcome{ProbeUnreachable, ProbeStale} {
		all = append(all, also(outcome, "detail"))
	}
	all = append(all, func(o *Observation) { o.Canary.Probes[len(o.Canary.Probes)-1].Fresh = true })
	for _, fault := range reachFaults {
		all = append(all, func(o *Observation) {
			o.Canary.Upstream[0].Reach = UpstreamVerdict{fault.outcome, "said Bearer " + planted}
		})
	}
	for _, fault := range keyFaults {
		all = append(all, func(o *Observation) { o.Canary.Upstream[0].Key = UpstreamVerdict{fault.outcome, ""} })
	}
	return append(all,
		func(o *Observation) { o.Conflicts = []Finding{{Reason: v1alpha1.ReasonNameConflict, Message: "m"}} },
		func(o *Observation) {
			o.Parents[0].Refused = []Finding{{Reason: v1alpha1.ReasonConflicted, Message: "m"}}
		},
		func(o *Observation) { o.Canary.NotPossible = []string{"no"} },
		func(o *Observation) { o.Canary.Missing = []string{"none"} },
		func(o *Observation) { o.routeSays(cond("ResolvedRefs", isFalse, "X", disabledText)) },
		func(o *Observation) {
			o.extensionPolicySays(cond("Accepted", isFalse, "Invalid", strings.Repeat("Bearer "+planted+" ", 3000)))
		},
		func(o *Observation) { o.Failure = "the server said " + planted },
	)
}

// tryTo makes a change, unless an earlier one took away what it changes.
func tryTo(change func(*Observation), o *Observation) {
	defer func() {
		if recover() != nil {
			o.Parents = slices.Clone(o.Parents) // nothing was changed
		}
	}()
	change(o)
}

// plantKey puts a key where an observation could hold one.
func plantKey(o *Observation) {
	o.Deployment.Spec.Template.Spec.Containers = []corev1.Container{{Env: []corev1.EnvVar{{Name: "KEY", Value: planted}}}}
	o.Deployment.Annotations = map[string]string{"key": planted}
	o.Route.Spec.Rules = []gatewayv1.HTTPRouteRule{{Matches: []gatewayv1.HTTPRouteMatch{{
		Headers: []gatewayv1.HTTPHeaderMatch{{Name: "x-key", Value: planted}},
	}}}}
	o.Backend.Annotations = map[string]string{"key": planted}
}

var aReason = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)

// checkInvariants holds what has to be true of any observation.
func checkInvariants(o *Observation) {
	GinkgoHelper()
	computed := Compute(*o)
	Expect(Compute(*o)).To(Equal(computed), "deterministic")
	types := make([]string, 0, len(computed))
	for _, c := range computed {
		types = append(types, c.Type)
		Expect(c.ObservedGeneration).To(Equal(generation))
		Expect(c.LastTransitionTime.IsZero()).To(BeTrue())
		Expect(string(c.Status)).To(BeElementOf("True", "False", "Unknown"))
		Expect(c.Reason).To(MatchRegexp(aReason.String()))
		Expect(c.Message).NotTo(BeEmpty())
		Expect(len(c.Message)).To(BeNumerically("<=", maxMessage))
		Expect(c.Message).NotTo(ContainSubstring(planted))
	}
	Expect(types[:len(allTypes)]).To(Equal(allTypes))
	progress := types[len(allTypes):]
	Expect(len(progress)).To(BeNumerically("<=", 1))

	blocking := blockingTypes(o, computed)
	statuses := map[metav1.ConditionStatus]int{}
	for _, t := range blocking {
		statuses[meta.FindStatusCondition(computed, t).Status]++
	}
	ready := meta.FindStatusCondition(computed, v1alpha1.ConditionReady)
	isReady := ready.Status == isTrue
	Expect(isReady).To(Equal(statuses[isTrue] == len(blocking)), fmt.Sprint(computed))
	if statuses[isFalse] == 0 {
		Expect(ready.Status).NotTo(Equal(isFalse))
	}
	isCurrent := kstatus(computed) == "Current"
	Expect(isCurrent).To(Equal(isReady))
	if isReady {
		Expect(progress).To(BeEmpty())
	}
	if slices.Contains(progress, v1alpha1.ConditionStalled) {
		Expect(meta.IsStatusConditionFalse(computed, v1alpha1.ConditionAccepted)).To(BeTrue())
	}
	for _, p := range Parents(*o) {
		for _, c := range p.Conditions {
			Expect(c.Message).NotTo(Or(BeEmpty(), ContainSubstring(planted)))
			Expect(c.Reason).To(MatchRegexp(aReason.String()))
		}
	}
}

// checkAfter makes changes to what is all good, and says whether it still is.
func checkAfter(made []func(*Observation)) bool {
	GinkgoHelper()
	o := good()
	plantKey(o)
	for _, change := range made {
		tryTo(change, o)
	}
	before := o.Route.DeepCopy()
	checkInvariants(o)
	Expect(o.Route).To(Equal(before), "the observation is not changed")
	return meta.IsStatusConditionTrue(Compute(*o), v1alpha1.ConditionReady)
}

// blockingTypes are those of the conditions that Ready has to wait for.
func blockingTypes(o *Observation, computed []metav1.Condition) []string {
	informational := o.Backend.Spec.Readiness.DataPlane == v1alpha1.ReadinessInformational
	var blocking []string
	for _, t := range allTypes {
		c := meta.FindStatusCondition(computed, t)
		waits := true
		switch t {
		case v1alpha1.ConditionReady, v1alpha1.ConditionModelsResolved:
			waits = false
		case v1alpha1.ConditionDataPlaneVerified:
			waits = !informational
		case v1alpha1.ConditionUpstreamReachable, v1alpha1.ConditionCredentialVerified:
			waits = c.Status == isFalse || (!informational && c.Reason != v1alpha1.ReasonVerificationDisabled)
		}
		if waits {
			blocking = append(blocking, t)
		}
	}
	return blocking
}

// kstatus follows the rules of cli-utils for an object whose
// status.observedGeneration is current.
func kstatus(computed []metav1.Condition) string {
	switch {
	case meta.IsStatusConditionTrue(computed, v1alpha1.ConditionReconciling):
		return "InProgress"
	case meta.IsStatusConditionTrue(computed, v1alpha1.ConditionStalled):
		return "Failed"
	case meta.IsStatusConditionTrue(computed, v1alpha1.ConditionReady):
		return "Current"
	default:
		return "InProgress"
	}
}

var _ = Describe("Compute", func() {
	It("is never Ready without a piece of the evidence", func() {
		for name, change := range withoutEvidence {
			o := good()
			change(o)
			Expect(meta.IsStatusConditionTrue(Compute(*o), v1alpha1.ConditionReady)).To(BeFalse(), name)
		}
	})
	It("is Ready whatever is harmless", func() {
		for name, change := range harmless {
			o := good()
			change(o)
			Expect(meta.IsStatusConditionTrue(Compute(*o), v1alpha1.ConditionReady)).To(BeTrue(), name)
		}
	})
	It("keeps its invariants for any observation", func() {
		random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0))
		all := changes()
		ready := 0
		for range rounds {
			var made []func(*Observation)
			for range random.IntN(5) {
				made = append(made, all[random.IntN(len(all))])
			}
			if checkAfter(made) {
				ready++
			}
		}
		Expect(ready).To(And(BeNumerically(">", rounds/25), BeNumerically("<", rounds/2)), "the sample is of use")
	})
	It("keeps them for an observation of nothing", func() {
		checkInvariants(&Observation{Backend: good().Backend})
	})
})
