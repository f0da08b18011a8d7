// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// addition is a field that we do not write, by which someone undoes what we do.
type addition struct {
	child string
	patch string
	field []string
}

var _ = Describe("A field that someone added to a child", func() {
	DescribeTable("is taken out again", func(ctx SpecContext, a addition) {
		w := newWorld(ctx).ready(ctx)
		obj := w.find(ctx, Default, a.child)
		before, found, err := unstructured.NestedFieldCopy(obj.Object, a.field...)
		Expect(err).NotTo(HaveOccurred())
		patch := client.RawPatch(types.MergePatchType, []byte(a.patch))
		Expect(w.api.Patch(ctx, obj, patch, client.FieldOwner("a-human"))).To(Succeed())
		now, _, err := unstructured.NestedFieldNoCopy(obj.Object, a.field...)
		Expect(err).NotTo(HaveOccurred())
		Expect(now).NotTo(Equal(before), "the addition took")
		Eventually(func(g Gomega) {
			now, stays, err := unstructured.NestedFieldNoCopy(w.find(ctx, g, a.child).Object, a.field...)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(stays).To(Equal(found))
			if found {
				g.Expect(now).To(Equal(before))
			}
		}).Should(Succeed())
		w.expectReady(ctx)
	},
		Entry("a name in the Secret", addition{"Secret tars-credential", `{"data":{"more":"eA=="}}`, []string{"data", "more"}}),
		Entry("hostnames on the HTTPRoute", addition{"HTTPRoute tars", `{"spec":{"hostnames":["a.example.com"]}}`, []string{"spec", "hostnames"}}),
		Entry("an older TLS", addition{"Backend tars", `{"spec":{"tls":{"minVersion":"1.0"}}}`, []string{"spec", "tls", "minVersion"}}),
		Entry("a script", addition{"EnvoyExtensionPolicy tars", `{"spec":{"lua":[{"type":"Inline","inline":"function envoy_on_request(h) end"}]}}`, []string{"spec", "lua"}}),
		Entry("faults", addition{"BackendTrafficPolicy tars", `{"spec":{"faultInjection":{"abort":{"httpStatus":500,"percentage":100}}}}`, []string{"spec", "faultInjection"}}),
		Entry("a paused rollout", addition{"Deployment tars-extproc", `{"spec":{"paused":true}}`, []string{"spec", "paused"}}),
		Entry("sticky sessions", addition{"Service tars-extproc", `{"spec":{"sessionAffinity":"ClientIP"}}`, []string{"spec", "sessionAffinity"}}),
		Entry("an eviction policy", addition{"PodDisruptionBudget tars-extproc", `{"spec":{"unhealthyPodEvictionPolicy":"IfHealthyBudget"}}`, []string{"spec", "unhealthyPodEvictionPolicy"}}),
	)

	DescribeTable("stays where it does no harm", func(ctx SpecContext, a addition) {
		w := newWorld(ctx).ready(ctx)
		obj := w.find(ctx, Default, a.child)
		patch := client.RawPatch(types.MergePatchType, []byte(a.patch))
		Expect(w.api.Patch(ctx, obj, patch, client.FieldOwner("a-human"))).To(Succeed())
		w.settle(ctx)
		_, stays, err := unstructured.NestedFieldNoCopy(w.find(ctx, Default, a.child).Object, a.field...)
		Expect(err).NotTo(HaveOccurred())
		Expect(stays).To(BeTrue())
	},
		Entry("a label", addition{"HTTPRoute tars", `{"metadata":{"labels":{"team":"a"}}}`, []string{"metadata", "labels", "team"}}),
		Entry("an annotation", addition{"Service tars-extproc", `{"metadata":{"annotations":{"team":"a"}}}`, []string{"metadata", "annotations", "team"}}),
		Entry("the mark of kubectl rollout restart", addition{"Deployment tars-extproc",
			`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`,
			[]string{"spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"}}),
		Entry("what a platform adds to a ServiceAccount", addition{"ServiceAccount tars-extproc",
			`{"imagePullSecrets":[{"name":"a"}]}`, []string{"imagePullSecrets"}}),
	)
})
