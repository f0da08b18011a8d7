// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// edits are what a human might do to each child by hand: a JSON merge patch,
// and the field by which one sees that it was undone.
var edits = map[string]struct {
	patch string
	field []string
}{
	"Secret tars-credential":           {`{"data":{"credential":"eA=="}}`, []string{"data", "credential"}},
	"Backend tars":                     {`{"spec":{"fallback":true,"endpoints":[{"fqdn":{"hostname":"a.example.com","port":443}}]}}`, []string{"spec", "endpoints"}},
	"HTTPRouteFilter tars-credential":  {`{"spec":{"credentialInjection":{"overwrite":false}}}`, []string{"spec", "credentialInjection", "overwrite"}},
	"HTTPRoute tars":                   {`{"spec":{"rules":[{"name":"mine"}]}}`, []string{"spec", "rules"}},
	"EnvoyExtensionPolicy tars":        {`{"spec":{"extProc":[]}}`, []string{"spec", "extProc"}},
	"BackendTrafficPolicy tars":        {`{"spec":{"mergeType":"JSONMerge"}}`, []string{"spec", "mergeType"}},
	"ConfigMap tars-extproc-*":         {`{"metadata":{"labels":{"app.kubernetes.io/part-of":"x"}}}`, []string{"metadata", "labels"}},
	"Deployment tars-extproc":          {`{"spec":{"replicas":7}}`, []string{"spec", "replicas"}},
	"Service tars-extproc":             {`{"spec":{"selector":{"app.kubernetes.io/name":"x"}}}`, []string{"spec", "selector"}},
	"ServiceAccount tars-extproc":      {`{"automountServiceAccountToken":true}`, []string{"automountServiceAccountToken"}},
	"PodDisruptionBudget tars-extproc": {`{"spec":{"maxUnavailable":"100%"}}`, []string{"spec", "maxUnavailable"}},
	"NetworkPolicy tars-extproc":       {`{"spec":{"ingress":[]}}`, []string{"spec", "ingress"}},
}

func childEntries() []TableEntry {
	var entries []TableEntry
	for _, name := range childNames() {
		entries = append(entries, Entry(name, name))
	}
	return entries
}

// guessableEntries are the children that a foreign object can have the name
// of: the ConfigMap's has a hash of its content, which holds a random token.
func guessableEntries() []TableEntry {
	var entries []TableEntry
	for _, name := range childNames() {
		if name != "ConfigMap tars-extproc-*" {
			entries = append(entries, Entry(name, name))
		}
	}
	return entries
}

var _ = Describe("A child that someone", func() {
	DescribeTable("deleted comes back by its watch alone", func(ctx SpecContext, name string) {
		w := newWorld(ctx).ready(ctx)
		gone := w.find(ctx, Default, name)
		Expect(w.api.Delete(ctx, gone)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(w.find(ctx, g, name).GetUID()).NotTo(Equal(gone.GetUID()))
		}).Should(Succeed())
		w.expectReady(ctx)
	}, childEntries())

	DescribeTable("edited is as before by its watch alone", func(ctx SpecContext, name string) {
		w := newWorld(ctx).ready(ctx)
		edit, ok := edits[name]
		Expect(ok).To(BeTrue())
		before := w.find(ctx, Default, name)
		wanted, found, err := unstructured.NestedFieldCopy(before.Object, edit.field...)
		Expect(err).NotTo(HaveOccurred())
		Expect(found).To(BeTrue(), "the child has the field that this spec edits")

		edited := before.DeepCopy()
		Expect(w.api.Patch(ctx, edited, client.RawPatch(types.MergePatchType, []byte(edit.patch)), client.FieldOwner("a-human"))).To(Succeed())
		changed, _, err := unstructured.NestedFieldNoCopy(edited.Object, edit.field...)
		Expect(err).NotTo(HaveOccurred())
		Expect(changed).NotTo(Equal(wanted), "the edit took")

		Eventually(func(g Gomega) {
			now, _, err := unstructured.NestedFieldNoCopy(w.find(ctx, g, name).Object, edit.field...)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(now).To(Equal(wanted))
		}).Should(Succeed())
		w.expectReady(ctx)
	}, childEntries())

	DescribeTable("took our label off gets it back", func(ctx SpecContext, name string) {
		w := newWorld(ctx).ready(ctx)
		obj := w.find(ctx, Default, name)
		patch := []byte(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":null,"gateway.tars.dev/tarsbackend":null}}}`)
		Expect(w.api.Patch(ctx, obj, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(w.find(ctx, g, name).GetLabels()).To(HaveKeyWithValue("app.kubernetes.io/managed-by", "tars-operator"))
		}).Should(Succeed())
	}, childEntries())
})

var _ = Describe("The buffers of an EnvoyExtensionPolicy", func() {
	const name, path = "EnvoyExtensionPolicy tars", "/spec/extProc/0/backendSettings/connection"
	limit := func(ctx context.Context, g Gomega, w *world) string {
		processors, _, err := unstructured.NestedSlice(w.find(ctx, g, name).Object, "spec", "extProc")
		g.Expect(err).NotTo(HaveOccurred())
		limit, _, err := unstructured.NestedString(processors[0].(map[string]any), "backendSettings", "connection", "bufferLimit")
		g.Expect(err).NotTo(HaveOccurred())
		return limit
	}
	patch := func(ctx context.Context, w *world, operations string) {
		Expect(w.api.Patch(ctx, w.find(ctx, Default, name), client.RawPatch(types.JSONPatchType, []byte(operations)))).To(Succeed())
	}

	It("are set when it is made, and again when they are edited", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		Expect(limit(ctx, Default, w)).To(Equal("1Mi"))
		patch(ctx, w, `[{"op":"replace","path":"`+path+`/bufferLimit","value":"7Ki"}]`)
		Eventually(func(g Gomega) { g.Expect(limit(ctx, g, w)).To(Equal("1Mi")) }).Should(Succeed())
		w.expectReady(ctx)
	})

	It("stay away where an operator before had not set them, until it is made anew", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		patch(ctx, w, `[{"op":"remove","path":"`+path+`"}]`)
		w.settle(ctx)
		w.expectReady(ctx)
		before := w.versions(ctx, Default)
		restartManager() // with a memory of nothing, as after an upgrade
		w.touch(ctx, "after the restart")
		w.settle(ctx)
		w.expectReady(ctx)
		Expect(limit(ctx, Default, w)).To(BeEmpty())
		Expect(w.versions(ctx, Default)).To(Equal(before))

		update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.PathPrefix = "/edited" })
		Eventually(func(g Gomega) { g.Expect(servedPathOf(ctx, g, w)).To(Equal("/edited/v1")) }).Should(Succeed())
		w.expectReady(ctx)
		Expect(limit(ctx, Default, w)).To(BeEmpty())

		gone := w.find(ctx, Default, name)
		Expect(w.api.Delete(ctx, gone)).To(Succeed())
		Eventually(func(g Gomega) { g.Expect(w.find(ctx, g, name).GetUID()).NotTo(Equal(gone.GetUID())) }).Should(Succeed())
		Expect(limit(ctx, Default, w)).To(Equal("1Mi"))
		w.expectReady(ctx)
	})
})

var _ = Describe("An object that is not ours", func() {
	DescribeTable("and has a child's name is left alone and named", func(ctx SpecContext, name string) {
		w, foreign := foreignWorld(ctx, name)
		w.create(ctx, foreign)
		version := foreign.GetResourceVersion()

		w.create(ctx)
		w.expectNotReady(ctx, v1alpha1.ConditionAccepted, v1alpha1.ReasonNameConflict,
			fmt.Sprintf("%s %s/%s", foreign.GetKind(), w.namespace, foreign.GetName()), "delete or rename it")
		Expect(w.children(ctx, Default)).To(BeEmpty(), "nothing is applied beside it")
		Expect(w.get(ctx, foreign)).To(Succeed())
		if !hasStatusWriter(name) {
			Expect(foreign.GetResourceVersion()).To(Equal(version), "nobody wrote to it")
		}
		Expect(foreign.GetOwnerReferences()).To(BeEmpty())

		By("healing once it is gone")
		Expect(w.api.Delete(ctx, foreign)).To(Succeed())
		w.expectReady(ctx)
	}, guessableEntries())

	DescribeTable("and takes a child's name between our look and our writing does not become ours", func(ctx SpecContext, name string) {
		w, foreign := foreignWorld(ctx, name)
		plural, _ := meta.UnsafeGuessKindToResource(foreign.GroupVersionKind())
		sabotaged.plan(w.namespace, sabotage{
			method: http.MethodPatch, only: "/" + plural.Resource + "/" + foreign.GetName(),
			before: func() { w.create(ctx, foreign) },
		})
		w.create(ctx)
		w.expectNotReady(ctx, v1alpha1.ConditionAccepted, v1alpha1.ReasonNameConflict,
			fmt.Sprintf("%s %s/%s", foreign.GetKind(), w.namespace, foreign.GetName()))
		Expect(w.get(ctx, foreign)).To(Succeed())
		Expect(foreign.GetOwnerReferences()).To(BeEmpty())
		Expect(foreign.GetLabels()).To(BeEmpty())

		By("healing once it is gone")
		Expect(w.api.Delete(ctx, foreign)).To(Succeed())
		w.expectReady(ctx)
	}, guessableEntries())

	It("keeps the HTTPRoute of another owner when the TarsBackend goes", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		route := w.find(ctx, Default, "HTTPRoute tars")
		theirs := &unstructured.Unstructured{Object: map[string]any{"spec": route.Object["spec"]}}
		theirs.SetGroupVersionKind(route.GroupVersionKind())
		theirs.SetNamespace(w.namespace)
		theirs.SetName("theirs")
		theirs.SetLabels(route.GetLabels())
		w.create(ctx, theirs)
		Expect(w.api.Delete(ctx, w.backend)).To(Succeed())
		Eventually(func() error { return w.get(ctx, w.backend) }).Should(MatchError(ContainSubstring("not found")))
		Expect(w.get(ctx, theirs)).To(Succeed())
	})
})

// foreignWorld is a world to come, and an object of somebody else for it that has the
// name of a child.
func foreignWorld(ctx SpecContext, name string) (*world, *unstructured.Unstructured) {
	GinkgoHelper()
	By("learning what the child is called")
	model := newWorld(ctx).ready(ctx)
	child := model.find(ctx, Default, name)

	w := newWorld(ctx)
	foreign := &unstructured.Unstructured{Object: map[string]any{}}
	foreign.SetGroupVersionKind(child.GroupVersionKind())
	foreign.SetNamespace(w.namespace)
	foreign.SetName(child.GetName())
	for _, field := range []string{"spec", "data"} {
		if v, ok := child.Object[field]; ok {
			foreign.Object[field] = v
		}
	}
	if child.GetKind() == "Service" {
		unstructured.RemoveNestedField(foreign.Object, "spec", "clusterIP")
		unstructured.RemoveNestedField(foreign.Object, "spec", "clusterIPs")
	}
	return w, foreign
}

// hasStatusWriter says whether the fakes write to objects of this kind.
func hasStatusWriter(name string) bool {
	switch name {
	case "HTTPRoute tars", "EnvoyExtensionPolicy tars", "BackendTrafficPolicy tars", "Backend tars", "Deployment tars-extproc":
		return true
	}
	return false
}

var _ = Describe("At rest", func() {
	It("writes nothing in five further reconciles", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		w.settle(ctx)
		versions := w.versions(ctx, Default)
		own := w.current(ctx, Default).ResourceVersion
		before := len(running.requests.about(w.namespace))
		for range 5 {
			_, err := running.reconciler.Reconcile(ctx, ctrl.Request{NamespacedName: w.name()})
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(running.requests.about(w.namespace)[before:]).To(BeEmpty())
		Expect(w.versions(ctx, Default)).To(Equal(versions))
		Expect(w.current(ctx, Default).ResourceVersion).To(Equal(own))
	})

	It("writes once and the same again after a restart", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		w.settle(ctx)
		versions := w.versions(ctx, Default)
		restartManager()
		w.touch(ctx, "after the restart")
		w.expectReady(ctx)
		w.settle(ctx)
		Expect(w.versions(ctx, Default)).To(Equal(versions))
	})

	It("needs few writes from nothing to Ready", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		w.settle(ctx)
		var applies, statuses int
		for _, r := range running.requests.about(w.namespace) {
			switch {
			case matches(r, "PATCH .*/tarsbackends/tars/status 200"):
				statuses++
			case matches(r, "PATCH .*/(tars|tars-[a-z0-9-]+) 20[01]") && !matches(r, "/events/"):
				applies++
			}
		}
		// 12 children, the finalizer, and the HTTPRoute once more for its hash.
		Expect(applies).To(Equal(14))
		Expect(statuses).To(BeNumerically("<=", 8))
	})

	It("needs few reconciles from nothing to Ready", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.create(ctx, w.secret, w.gateway, w.service, w.slice)
		w.create(ctx, w.backend)
		w.expectReady(ctx)
		Expect(running.requests.reconciles(w.namespace)).To(And(BeNumerically(">", 0), BeNumerically("<=", 8)))
	})

	It("writes the finalizer first and the HTTPRoute last", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		w.settle(ctx)
		var order []string
		for _, r := range running.requests.about(w.namespace) {
			if matches(r, "^PATCH ") && !matches(r, "/status |/events/") {
				order = append(order, r)
			}
		}
		Expect(order[0]).To(ContainSubstring("/tarsbackends/tars 200"))
		Expect(order[len(order)-2]).To(ContainSubstring("/httproutes/tars 201"), "made after everything that it names")
		Expect(order[len(order)-1]).To(ContainSubstring("/httproutes/tars 200"), "and announced after all of it was accepted")
	})

	It("does nothing while paused, and goes on afterwards", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		w.settle(ctx)
		update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) {
			b.Annotations = map[string]string{v1alpha1.AnnotationPaused: "true"}
		})
		Eventually(func(g Gomega) {
			c := w.condition(ctx, g, v1alpha1.ConditionReady)
			g.Expect(c.Status).To(Equal(metav1.ConditionUnknown))
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonPaused))
		}).Should(Succeed())
		Expect(w.current(ctx, Default).Status.URLs).NotTo(BeEmpty())
		_, asked := prober.plan(w.name())
		Expect(asked).To(BeFalse(), "Envoys and TARS are left alone too")
		route := w.find(ctx, Default, "HTTPRoute tars")
		Expect(w.api.Delete(ctx, route)).To(Succeed())
		Consistently(func(g Gomega) { g.Expect(w.exists(ctx, g, "HTTPRoute tars")).To(BeFalse()) }).Should(Succeed())

		update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Annotations = nil })
		w.expectReady(ctx)
		Expect(w.exists(ctx, Default, "HTTPRoute tars")).To(BeTrue())
	})
})
