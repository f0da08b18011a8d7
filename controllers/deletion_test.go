// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

type appsReplicaSet = appsv1.ReplicaSet

func matches(s, pattern string) bool { return regexp.MustCompile(pattern).MatchString(s) }

// settle waits until nothing about the world was written for a while.
func (w *world) settle(ctx context.Context) {
	GinkgoHelper()
	last := -1
	Eventually(func(g Gomega) {
		now := len(running.requests.about(w.namespace))
		defer func() { last = now }()
		g.Expect(now).To(Equal(last))
	}).WithContext(ctx).WithPolling(quiet).Should(Succeed())
}

// restartManager ends the manager and starts another.
func restartManager() {
	GinkgoHelper()
	running.stop()
	running = startManager(asUser, prober)
}

// replicaSetOf is what the Deployment controller would make of the external
// processor's Deployment.
func (w *world) replicaSetOf(ctx context.Context) *appsv1.ReplicaSet {
	GinkgoHelper()
	d := named(w, &appsv1.Deployment{}, "tars-extproc")
	Expect(w.get(ctx, d)).To(Succeed())
	set := &appsv1.ReplicaSet{ObjectMeta: w.meta("tars-extproc-1"), Spec: appsv1.ReplicaSetSpec{
		Replicas: new(int32(2)), Selector: d.Spec.Selector, Template: d.Spec.Template,
	}}
	set.Labels = d.Spec.Template.Labels
	return set
}

// podOf is what the ReplicaSet controller would make of a ReplicaSet.
func (w *world) podOf(set *appsv1.ReplicaSet) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: w.meta("tars-extproc-1-a"), Spec: set.Spec.Template.Spec}
	pod.Labels, pod.Annotations = set.Spec.Template.Labels, set.Spec.Template.Annotations
	// There is no ServiceAccount controller here to make tokens.
	pod.Spec.ServiceAccountName = "tars-extproc"
	return pod
}

// sliceOf is what the EndpointSlice controller would make of a Service of ours.
func (w *world) sliceOf(service string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: w.meta(service + "-1"), AddressType: discoveryv1.AddressTypeIPv4}
	s.Labels = map[string]string{
		discoveryv1.LabelServiceName:   service,
		"app.kubernetes.io/managed-by": "tars-operator",
	}
	s.Endpoints = []discoveryv1.Endpoint{}
	return s
}

var _ = Describe("Deleting a TarsBackend", func() {
	It("removes the HTTPRoute first and only then lets the object go", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		route := w.find(ctx, Default, "HTTPRoute tars")
		held := route.DeepCopy()
		held.SetFinalizers([]string{"example.com/hold"})
		Expect(w.api.Patch(ctx, held, client.MergeFrom(route))).To(Succeed())

		Expect(w.api.Delete(ctx, w.backend)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(w.get(ctx, held)).To(Succeed())
			g.Expect(held.GetDeletionTimestamp()).NotTo(BeNil())
		}).Should(Succeed())
		Consistently(func(g Gomega) {
			g.Expect(w.current(ctx, g).Finalizers).To(ContainElement(v1alpha1.Finalizer))
			g.Expect(w.exists(ctx, g, "EnvoyExtensionPolicy tars")).To(BeTrue())
		}).Should(Succeed())

		update(ctx, w, held, func(u *unstructured.Unstructured) { u.SetFinalizers(nil) })
		Eventually(func() error { return w.get(ctx, w.backend) }).Should(MatchError(ContainSubstring("not found")))
		_, asked := prober.plan(w.name())
		Expect(asked).To(BeFalse(), "the prober was told to forget")
	})

	It("works while its references are broken", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.create(ctx, w.backend)
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonSecretNotFound)
		Expect(w.api.Delete(ctx, w.backend)).To(Succeed())
		Eventually(func() error { return w.get(ctx, w.backend) }).Should(MatchError(ContainSubstring("not found")))
	})

	It("leaves nothing in memory that a successor of the same name could be mistaken for", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		Expect(w.api.Delete(ctx, w.backend)).To(Succeed())
		Eventually(func() error { return w.get(ctx, w.backend) }).Should(MatchError(ContainSubstring("not found")))
		By("doing the garbage collector's work, which nobody does here")
		for _, obj := range w.orphans(ctx) {
			Expect(w.api.Delete(ctx, obj)).To(Succeed())
		}
		again := newBackendLike(w)
		w.create(ctx, again)
		w.backend = again
		w.expectReady(ctx)
		for _, owner := range w.find(ctx, Default, "HTTPRoute tars").GetOwnerReferences() {
			Expect(owner.UID).To(Equal(again.UID))
		}
	})
})

// orphans are all children by label, whoever their owner.
func (w *world) orphans(ctx context.Context) []client.Object {
	GinkgoHelper()
	var found []client.Object
	for _, kind := range desired.Kinds() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		Expect(w.api.List(ctx, list, client.InNamespace(w.namespace), client.MatchingLabels{"app.kubernetes.io/managed-by": "tars-operator"})).To(Succeed())
		for i := range list.Items {
			found = append(found, &list.Items[i])
		}
	}
	return found
}

func newBackendLike(w *world) *v1alpha1.TarsBackend {
	return &v1alpha1.TarsBackend{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: w.backend.Name}, Spec: w.backend.Spec}
}
