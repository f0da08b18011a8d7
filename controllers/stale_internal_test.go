// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"time"
	"unicode/utf8"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// deploymentAt is a Deployment as of a resourceVersion.
func deploymentAt(version string, uid types.UID) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "d", ResourceVersion: version, UID: uid}}
}

var _ = Describe("live", func() {
	owner := types.NamespacedName{Namespace: "ns", Name: "tars"}
	key := childKey{kind: kindDeployment, name: types.NamespacedName{Namespace: "ns", Name: "d"}}
	scheme := runtime.NewScheme()
	BeforeEach(func() { Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed()) })

	// reading gives what live makes of a cache, an API server and a memory.
	reading := func(ctx SpecContext, cached, stored, remembered *appsv1.Deployment) client.Object {
		GinkgoHelper()
		holding := func(d *appsv1.Deployment) client.Client {
			b := fake.NewClientBuilder().WithScheme(scheme)
			if d != nil {
				b = b.WithObjects(d)
			}
			return b.Build()
		}
		r := &TarsBackendReconciler{client: holding(nil), children: holding(cached), direct: holding(stored), memory: newMemory()}
		if remembered != nil {
			r.memory.put(owner, key, applied{object: remembered})
		}
		got, err := r.live(ctx, owner, key)
		Expect(err).NotTo(HaveOccurred())
		if got == nil {
			_, still := r.memory.get(owner, key)
			Expect(still).To(BeFalse(), "what is gone is not remembered")
		}
		return got
	}

	It("takes the API server's last answer while the cache lags", func(ctx SpecContext) {
		Expect(reading(ctx, deploymentAt("5", "a"), nil, deploymentAt("9", "a")).GetResourceVersion()).To(Equal("9"))
		Expect(reading(ctx, deploymentAt("9", "a"), nil, deploymentAt("10", "a")).GetResourceVersion()).To(Equal("10"), "numbers, not texts")
	})
	It("takes the cache once it has caught up", func(ctx SpecContext) {
		Expect(reading(ctx, deploymentAt("12", "a"), nil, deploymentAt("9", "a")).GetResourceVersion()).To(Equal("12"))
	})
	It("takes the cache when the object was made anew", func(ctx SpecContext) {
		Expect(reading(ctx, deploymentAt("5", "b"), nil, deploymentAt("9", "a")).GetUID()).To(Equal(types.UID("b")))
	})
	It("asks the API server about what the cache does not have", func(ctx SpecContext) {
		Expect(reading(ctx, nil, deploymentAt("7", "c"), nil).GetUID()).To(Equal(types.UID("c")))
		Expect(reading(ctx, nil, nil, deploymentAt("9", "a"))).To(BeNil(), "deleted by hand")
	})
})

var _ = Describe("writeStatus", func() {
	setup := func() (*TarsBackendReconciler, client.Client, *scope) {
		GinkgoHelper()
		scheme := runtime.NewScheme()
		Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
		backend := &v1alpha1.TarsBackend{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "tars", Generation: 1}}
		c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(backend).WithStatusSubresource(backend).Build()
		return &TarsBackendReconciler{client: c, recorder: events.NewFakeRecorder(100), memory: newMemory()}, c,
			&scope{backend: backend, seen: conditions.Observation{Backend: backend}}
	}

	It("does not write what it saw of one object to the next of the same name", func(ctx SpecContext) {
		r, c, s := setup()
		Expect(c.Delete(ctx, s.backend.DeepCopy())).To(Succeed())
		Expect(c.Create(ctx, &v1alpha1.TarsBackend{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "tars", Labels: map[string]string{"made": "anew"},
		}})).To(Succeed())
		s.backend.ResourceVersion = "4711" // of the object that is gone
		err := r.writeStatus(ctx, s, nil)
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
	})

	It("keeps the time of a transition while nothing changes", func() {
		then := metav1.NewTime(time.Unix(1_700_000_000, 0))
		old := metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Ready", LastTransitionTime: then}
		gone := metav1.Condition{Type: "Reconciling", Status: metav1.ConditionTrue, Reason: "x", LastTransitionTime: then}
		now := metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Ready", Message: "new words", ObservedGeneration: 2}
		got := stamp([]metav1.Condition{gone, old}, []metav1.Condition{now})
		Expect(got).To(HaveLen(1))
		Expect(got[0].LastTransitionTime).To(Equal(then))
		Expect(got[0].Message).To(Equal("new words"))
		Expect(got[0].ObservedGeneration).To(Equal(int64(2)))
		now.Status = metav1.ConditionFalse
		Expect(stamp([]metav1.Condition{old}, []metav1.Condition{now})[0].LastTransitionTime).NotTo(Equal(then))
	})
})

var _ = Describe("Events", func() {
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "words"}
	}
	emitted := func(before, after []metav1.Condition) []string {
		recorder := events.NewFakeRecorder(100)
		r := &TarsBackendReconciler{recorder: recorder}
		r.emitTransitions(&v1alpha1.TarsBackend{}, before, after)
		close(recorder.Events)
		var all []string
		for e := range recorder.Events {
			all = append(all, e)
		}
		return all
	}
	programmed := func(s metav1.ConditionStatus, reason string) []metav1.Condition {
		return []metav1.Condition{condition(v1alpha1.ConditionProgrammed, s, reason)}
	}
	ready := func(s metav1.ConditionStatus, reason string) []metav1.Condition {
		return []metav1.Condition{condition(v1alpha1.ConditionReady, s, reason)}
	}

	It("tell what broke, what healed, and that traffic works", func() {
		Expect(emitted(nil, programmed(metav1.ConditionFalse, "PolicyNotAccepted"))).To(ConsistOf(HavePrefix("Warning PolicyNotAccepted")))
		Expect(emitted(programmed(metav1.ConditionFalse, "PolicyNotAccepted"), programmed(metav1.ConditionTrue, "Programmed"))).
			To(ConsistOf(HavePrefix("Normal Programmed")))
		Expect(emitted(programmed(metav1.ConditionFalse, "A"), programmed(metav1.ConditionFalse, "B"))).To(ConsistOf(HavePrefix("Warning B")))
		Expect(emitted(ready(metav1.ConditionUnknown, "Pending"), ready(metav1.ConditionTrue, "Ready"))).To(ConsistOf(HavePrefix("Normal Ready")))
	})
	It("are not repeated, nor sent for what is only under way or told already", func() {
		Expect(emitted(programmed(metav1.ConditionFalse, "A"), programmed(metav1.ConditionFalse, "A"))).To(BeEmpty())
		Expect(emitted(nil, programmed(metav1.ConditionUnknown, "Pending"))).To(BeEmpty())
		Expect(emitted(programmed(metav1.ConditionUnknown, "Pending"), programmed(metav1.ConditionTrue, "Programmed"))).To(BeEmpty())
		Expect(emitted(ready(metav1.ConditionTrue, "Ready"), ready(metav1.ConditionFalse, "PolicyNotAccepted"))).To(BeEmpty())
		Expect(emitted(nil, []metav1.Condition{condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, "x")})).To(BeEmpty())
	})
	It("are cut between characters", func() {
		note := cutNote(strings.Repeat("x", maxEventNote-1) + "\u00e9")
		Expect(utf8.ValidString(note)).To(BeTrue())
		Expect(note).To(HaveLen(maxEventNote - 1))
		Expect(cutNote("words")).To(Equal("words"))
	})
})
