// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

var _ = Describe("A TarsBackend with everything in place", func() {
	It("becomes Ready, with all children, and says how to use it", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)

		Eventually(func(g Gomega) {
			var names []string
			for c := range w.children(ctx, g) {
				names = append(names, nameInContract(c))
			}
			g.Expect(names).To(ConsistOf(childNames()))
		}).Should(Succeed())

		b := w.current(ctx, Default)
		Expect(b.Finalizers).To(ContainElement(v1alpha1.Finalizer))
		Expect(b.Status.ObservedGeneration).To(Equal(b.Generation))
		Expect(b.Status.Credential.Fingerprint).To(MatchRegexp("^sha256:[0-9a-f]{8}$"))
		Expect(b.Status.ExtProc.ConfigHash).NotTo(BeEmpty())
		Expect(b.Status.URLs).To(ContainElement(v1alpha1.BaseURL{API: v1alpha1.APIOpenAI, URL: "http://192.0.2.1/v1"}))
		Expect(b.Status.Parents).To(HaveLen(1))
		Expect(b.Status.Parents[0].Addresses).To(Equal([]string{"192.0.2.1"}))
		Expect(string(b.Status.Parents[0].ParentRef.Name)).To(Equal("gw"))
		for _, kind := range []string{
			v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs, v1alpha1.ConditionProgrammed,
			v1alpha1.ConditionExtProcAvailable, v1alpha1.ConditionDataPlaneVerified,
		} {
			Expect(w.condition(ctx, Default, kind).Status).To(Equal(metav1.ConditionTrue), kind)
		}

		secret := w.find(ctx, Default, "Secret tars-credential")
		encoded, _, err := unstructured.NestedString(secret.Object, "data", "credential")
		Expect(err).NotTo(HaveOccurred())
		value, err := base64.StdEncoding.DecodeString(encoded)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(value)).To(Equal("Bearer " + tarsKey))
	})

	It("marks every child as its own and applies it under one field owner", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		for c, obj := range w.children(ctx, Default) {
			Expect(obj.GetLabels()).To(HaveKeyWithValue("app.kubernetes.io/managed-by", "tars-operator"), c.String())
			owner := metav1.GetControllerOf(obj)
			Expect(owner.BlockOwnerDeletion).To(HaveValue(BeTrue()), c.String())
			var managers []string
			for _, entry := range obj.GetManagedFields() {
				if entry.Subresource == "" {
					managers = append(managers, fmt.Sprintf("%s/%s", entry.Manager, entry.Operation))
				}
			}
			Expect(managers).To(Equal([]string{"tars-operator/Apply"}), c.String())
		}
	})

	It("asks every Envoy for the hashes that its children carry", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		plan, ok := prober.plan(w.name())
		Expect(ok).To(BeTrue())
		Expect(plan.Targets).To(HaveLen(2))
		Expect(plan.Targets[0].Service).To(Equal(w.service.Namespace + "/" + w.service.Name))
		Expect(plan.Targets[1].Address).To(Equal("192.0.2.7:10080"))
		Expect(plan.RouteHash).To(Equal(w.routeHash(ctx, Default)))
		Expect(plan.ConfigHash).To(Equal(w.current(ctx, Default).Status.ExtProc.ConfigHash))
		Expect(plan.Path).To(HavePrefix("/v1/.well-known/tarsbackend/"))
		Expect(plan.Agreement).To(Equal(36), "twelve answers for each of two replicas and one more")
	})

	DescribeTable("becomes Ready whatever comes last", func(ctx SpecContext, order []int) {
		w := newWorld(ctx)
		steps := [][]client.Object{{w.backend}, {w.secret}, {w.gateway}, {w.service, w.slice}}
		for n, i := range order {
			w.create(ctx, steps[i]...)
			if created := order[:n+1]; n < len(order)-1 && slices.Contains(created, 0) {
				// The object was looked at in this half-made world.
				Eventually(func(g Gomega) {
					c := w.condition(ctx, g, v1alpha1.ConditionReady)
					g.Expect(c.Status).NotTo(Equal(metav1.ConditionTrue))
				}).Should(Succeed())
			}
		}
		w.expectReady(ctx)
	}, func() []TableEntry {
		var entries []TableEntry
		for _, p := range permutations([]int{0, 1, 2, 3}) {
			words := []string{"TarsBackend", "Secret", "Gateway", "Envoys"}
			var order []string
			for _, i := range p {
				order = append(order, words[i])
			}
			entries = append(entries, Entry(strings.Join(order, ", "), p))
		}
		return entries
	}())

	It("is Ready again after a change of its spec, and not before all of it was applied", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		first := w.routeHash(ctx, Default)
		eg.behave(ctx, w.namespace, behaviour{silentOnPolicies: true})
		update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.PathPrefix = "/llm" })

		By("keeping the old hash while Envoy Gateway has not accepted every policy")
		Eventually(func(g Gomega) {
			c := w.condition(ctx, g, v1alpha1.ConditionReady)
			g.Expect(c.Status).To(Equal(metav1.ConditionUnknown))
		}).Should(Succeed())
		Consistently(func(g Gomega) { g.Expect(w.routeHash(ctx, g)).To(Equal(first)) }).Should(Succeed())

		By("taking the new hash as soon as it has")
		eg.behave(ctx, w.namespace, behaviour{})
		w.expectReady(ctx)
		Expect(w.routeHash(ctx, Default)).NotTo(Equal(first))
		plan, _ := prober.plan(w.name())
		Expect(plan.Path).To(HavePrefix("/llm/v1/"))
	})

	It("is never Ready for a generation whose children are not there", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		for i := range 10 {
			model := fmt.Sprintf("model-%d", i)
			update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.Models = &v1alpha1.Models{Allow: []string{model}} })
			w.expectReady(ctx)
			config := w.find(ctx, Default, "Deployment tars-extproc")
			hash, _, err := unstructured.NestedString(config.Object, "spec", "template", "metadata", "annotations", v1alpha1.AnnotationConfigHash)
			Expect(err).NotTo(HaveOccurred())
			Expect(hash).To(Equal(w.current(ctx, Default).Status.ExtProc.ConfigHash))
			cm := &unstructured.Unstructured{}
			cm.SetAPIVersion("v1")
			cm.SetKind("ConfigMap")
			Expect(w.get(ctx, named(w, cm, "tars-extproc-"+hash))).To(Succeed())
			data, _, err := unstructured.NestedString(cm.Object, "data", "config.json")
			Expect(err).NotTo(HaveOccurred())
			Expect(data).To(ContainSubstring(model), "the configuration that Ready is about has the newest model")
		}
	})

	It("does not wait for the canary when readiness.dataPlane is Informational", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.backend.Spec.Readiness.DataPlane = v1alpha1.ReadinessInformational
		prober.tell(w.namespace, conditions.ProbeUnreachable, "did not answer")
		w.ready(ctx)
		Eventually(func(g Gomega) {
			g.Expect(w.condition(ctx, g, v1alpha1.ConditionDataPlaneVerified).Reason).To(Equal(v1alpha1.ReasonEnvoyUnreachable))
		}).Should(Succeed())
	})
})

// permutations of a list.
func permutations(of []int) [][]int {
	if len(of) <= 1 {
		return [][]int{of}
	}
	var all [][]int
	for i := range of {
		rest := append(append([]int{}, of[:i]...), of[i+1:]...)
		for _, p := range permutations(rest) {
			all = append(all, append([]int{of[i]}, p...))
		}
	}
	return all
}

// touch wakes the reconciler without changing anything.
func (w *world) touch(ctx context.Context, value string) {
	GinkgoHelper()
	update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) {
		if b.Annotations == nil {
			b.Annotations = map[string]string{}
		}
		b.Annotations["example.com/touched"] = value
	})
}
