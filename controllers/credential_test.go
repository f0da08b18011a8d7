// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// rotation is how long a rotated key may take into the derived Secret.
const rotation = time.Second

// derived is the header value that Envoy gets, or empty.
func (w *world) derived(ctx context.Context) string {
	s := named(w, &corev1.Secret{}, "tars-credential")
	if err := w.get(ctx, s); err != nil {
		return ""
	}
	return string(s.Data["credential"])
}

var _ = Describe("The key", func() {
	It("is rotated in place, at once, and restarts nothing", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		w.settle(ctx)
		before := w.children(ctx, Default)
		fingerprint := w.current(ctx, Default).Status.Credential.Fingerprint

		setKey("sk-rotated-1\n")(ctx, w)
		Eventually(func() string { return w.derived(ctx) }).WithTimeout(rotation).Should(Equal("Bearer sk-rotated-1"))
		Eventually(func(g Gomega) {
			g.Expect(w.current(ctx, g).Status.Credential.Fingerprint).NotTo(Equal(fingerprint))
		}).Should(Succeed())
		w.expectReady(ctx)
		w.settle(ctx)

		after := w.children(ctx, Default)
		Expect(after).To(HaveLen(len(before)))
		for c, obj := range after {
			Expect(before[c].GetUID()).To(Equal(obj.GetUID()), "%s was not made anew", c)
			if c.kind.Kind != "Secret" {
				Expect(obj.GetResourceVersion()).To(Equal(before[c].GetResourceVersion()), "%s was not written", c)
			}
		}
	})

	It("is taken from Envoy when its Secret is deleted, and given back", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		Expect(w.api.Delete(ctx, w.secret)).To(Succeed())
		Eventually(func() string { return w.derived(ctx) }).WithTimeout(rotation).Should(BeEmpty())
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonSecretNotFound, "no key is sent")
		Expect(w.current(ctx, Default).Status.Credential).To(BeNil())
		Expect(w.exists(ctx, Default, "HTTPRoute tars")).To(BeTrue(), "the route stays, and the external processor words the error")

		w.create(ctx, &corev1.Secret{ObjectMeta: w.meta("tars-api-key"), Data: map[string][]byte{"apiKey": []byte("sk-second")}})
		w.expectReady(ctx)
		Expect(w.derived(ctx)).To(Equal("Bearer sk-second"))
	})

	It("is taken from Envoy when its Secret was deleted while no manager ran", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		running.stop()
		Expect(w.api.Delete(ctx, w.secret)).To(Succeed())
		Consistently(func() string { return w.derived(ctx) }).ShouldNot(BeEmpty())
		restartManager()
		Eventually(func() string { return w.derived(ctx) }).Should(BeEmpty())
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonSecretNotFound)
	})

	It("keeps serving with the last good one while the Secret holds an unusable one", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		setKey(v1alpha1.PlaceholderKey)(ctx, w)
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonPlaceholderKey)
		Consistently(func() string { return w.derived(ctx) }).Should(Equal("Bearer " + tarsKey))
		setKey("sk-third")(ctx, w)
		w.expectReady(ctx)
		Expect(w.derived(ctx)).To(Equal("Bearer sk-third"))
	})

	It("is rotated also while another reference is broken", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		Expect(w.api.Delete(ctx, w.gateway)).To(Succeed())
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonGatewayNotFound)
		setKey("sk-fourth")(ctx, w)
		Eventually(func() string { return w.derived(ctx) }).WithTimeout(rotation).Should(Equal("Bearer sk-fourth"))
	})

	It("stops being sent, and the route goes first, when the endpoint is not allowed any more", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		before := len(running.requests.about(w.namespace))
		update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.Endpoint.Hostname = "evil.example.com" })
		w.expectNotReady(ctx, v1alpha1.ConditionAccepted, v1alpha1.ReasonEndpointNotAllowed)
		Eventually(func() string { return w.derived(ctx) }).Should(BeEmpty())
		Expect(w.exists(ctx, Default, "HTTPRoute tars")).To(BeFalse())
		var deletes []string
		for _, r := range running.requests.about(w.namespace)[before:] {
			if matches(r, "^DELETE ") {
				deletes = append(deletes, r)
			}
		}
		Expect(deletes).To(HaveExactElements(ContainSubstring("/httproutes/tars 200"), ContainSubstring("/secrets/tars-credential 200")))
	})

	It("is found nowhere but in the two Secrets", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.secret.Data["apiKey"] = []byte(tarsKey + " with a space, so that there is something to say about it")
		w.create(ctx)
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonInvalidSecret)
		setKey(tarsKey)(ctx, w)
		w.expectReady(ctx)
		w.settle(ctx)

		secrets := []string{tarsKey, base64.StdEncoding.EncodeToString([]byte(tarsKey)), base64.StdEncoding.EncodeToString([]byte("Bearer " + tarsKey))}
		holds := func(where, text string) {
			GinkgoHelper()
			for _, s := range secrets {
				Expect(text).NotTo(ContainSubstring(s), where)
			}
		}
		holds("the log", running.logs.String())
		families, err := metrics.Registry.Gather()
		Expect(err).NotTo(HaveOccurred())
		Expect(families).NotTo(BeEmpty())
		for _, f := range families {
			holds("a metric", f.String())
		}
		status, err := yaml.Marshal(w.current(ctx, Default))
		Expect(err).NotTo(HaveOccurred())
		holds("the TarsBackend", string(status))
		events := &eventsv1.EventList{}
		Eventually(func(g Gomega) {
			g.Expect(w.api.List(ctx, events, client.InNamespace(w.namespace))).To(Succeed())
			g.Expect(events.Items).NotTo(BeEmpty())
		}).Should(Succeed())
		for i := range events.Items {
			holds("an Event", fmt.Sprintf("%+v", events.Items[i]))
		}
		for c, obj := range w.children(ctx, Default) {
			text, err := yaml.Marshal(obj)
			Expect(err).NotTo(HaveOccurred())
			if c.String() == "Secret tars-credential" {
				Expect(string(text)).To(ContainSubstring(secrets[2]))
				continue
			}
			holds(c.String(), string(text))
		}
	})
})

var _ = Describe("What is no longer desired", func() {
	It("goes, and an old configuration stays while something may mount it", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		old := w.find(ctx, Default, "ConfigMap tars-extproc-*")
		set := w.replicaSetOf(ctx)
		w.create(ctx, set)

		update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.Models = &v1alpha1.Models{Allow: []string{"a"}} })
		w.expectReady(ctx)
		w.settle(ctx)
		Expect(w.get(ctx, old.DeepCopy())).To(Succeed(), "a ReplicaSet with replicas names it")

		By("scaling the old ReplicaSet down while one of its pods still ends")
		pod := w.podOf(set)
		w.create(ctx, pod)
		update(ctx, w, set, func(s *appsReplicaSet) { s.Spec.Replicas = new(int32) })
		w.touch(ctx, "scaled")
		w.settle(ctx)
		Expect(w.get(ctx, old.DeepCopy())).To(Succeed(), "a pod names it")

		By("letting the pod end, which the EndpointSlice of the external processor tells")
		Expect(w.api.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		w.create(ctx, w.sliceOf("tars-extproc"))
		Eventually(func() bool {
			return client.IgnoreNotFound(w.get(ctx, old.DeepCopy())) == nil && w.get(ctx, old.DeepCopy()) != nil
		}).Should(BeTrue())
	})

	DescribeTable("goes only where it is ours by label and by owner", func(ctx SpecContext, name string) {
		w := newWorld(ctx).ready(ctx)
		w.settle(ctx)
		mine := w.find(ctx, Default, name)
		stray := func(suffix string, change func(*unstructured.Unstructured)) *unstructured.Unstructured {
			u := mine.DeepCopy()
			u.SetResourceVersion("")
			u.SetUID("")
			u.SetManagedFields(nil)
			u.SetName(mine.GetName() + suffix)
			unstructured.RemoveNestedField(u.Object, "spec", "clusterIP")
			unstructured.RemoveNestedField(u.Object, "spec", "clusterIPs")
			change(u)
			w.create(ctx, u)
			return u
		}
		unlabelled := stray("-unlabelled", func(u *unstructured.Unstructured) { u.SetLabels(nil) })
		unowned := stray("-unowned", func(u *unstructured.Unstructured) { u.SetOwnerReferences(nil) })
		ours := stray("-ours", func(*unstructured.Unstructured) {})
		Eventually(func() error { return w.get(ctx, ours.DeepCopy()) }).Should(MatchError(ContainSubstring("not found")))
		w.settle(ctx)
		Expect(w.get(ctx, unlabelled)).To(Succeed())
		Expect(w.get(ctx, unowned)).To(Succeed())
		Expect(w.get(ctx, mine)).To(Succeed())
	}, childEntries())

	It("goes with a change of the spec", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		Expect(w.exists(ctx, Default, "PodDisruptionBudget tars-extproc")).To(BeTrue())
		one := int32(1)
		update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.ExtProc = &v1alpha1.ExtProc{Replicas: &one} })
		w.expectReady(ctx)
		Eventually(func(g Gomega) { g.Expect(w.exists(ctx, g, "PodDisruptionBudget tars-extproc")).To(BeFalse()) }).Should(Succeed())
	})
})
