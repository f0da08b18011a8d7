// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// rivalOf is the same world seen from a second, younger TarsBackend.
func rivalOf(w *world) *world {
	other := *w
	other.backend = newBackendLike(w)
	other.backend.Name = "zzz" // sorts later where both are of one second
	return &other
}

var _ = Describe("Two TarsBackends at one listener", func() {
	It("do not share a path: the older serves, the other says so and takes over", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		other := rivalOf(w)
		other.create(ctx, other.backend)
		other.expectNotReady(ctx, v1alpha1.ConditionAccepted, v1alpha1.ReasonConflicted,
			w.namespace+"/tars", "is older", "listener http", "spec.pathPrefix")
		Expect(other.children(ctx, Default)).To(BeEmpty())
		w.expectReady(ctx)

		Expect(w.api.Delete(ctx, w.backend)).To(Succeed())
		other.expectReady(ctx)
	})

	It("are no rivals where the older may not serve", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.backend.Spec.Endpoint.Hostname = "evil.example.org"
		w.create(ctx)
		w.expectNotReady(ctx, v1alpha1.ConditionAccepted, v1alpha1.ReasonEndpointNotAllowed)
		other := rivalOf(w)
		other.backend.Spec.Endpoint.Hostname = "api.router.tetrate.ai"
		other.create(ctx, other.backend)
		other.expectReady(ctx)

		By("until it may")
		update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.Endpoint.Hostname = "api.router.tetrate.ai" })
		other.expectNotReady(ctx, v1alpha1.ConditionAccepted, v1alpha1.ReasonConflicted)
		w.expectReady(ctx)
	})

	It("part again when one is edited into the other's way, and out of it", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		other := rivalOf(w)
		other.backend.Spec.PathPrefix = "/other"
		other.create(ctx, other.backend)
		other.expectReady(ctx)

		update(ctx, other, other.backend, func(b *v1alpha1.TarsBackend) { b.Spec.PathPrefix = "/" })
		other.expectNotReady(ctx, v1alpha1.ConditionAccepted, v1alpha1.ReasonConflicted)
		Eventually(func(g Gomega) { g.Expect(other.exists(ctx, g, "HTTPRoute zzz")).To(BeFalse()) }).Should(Succeed())

		By("moving the older one out of the way")
		update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.PathPrefix = "/moved" })
		other.expectReady(ctx)
		w.expectReady(ctx)
	})

	It("do not wait for one that waits itself, and take turns when the oldest goes", func(ctx SpecContext) {
		a := newWorld(ctx)
		a.backend.Spec.Hostnames = []gatewayv1.Hostname{"a.example.com"}
		a.ready(ctx)
		b, c := rivalOf(a), rivalOf(a)
		b.backend.Name, b.backend.Spec.Hostnames = "ttt", []gatewayv1.Hostname{"a.example.com", "b.example.com"}
		b.create(ctx, b.backend)
		b.expectNotReady(ctx, v1alpha1.ConditionAccepted, v1alpha1.ReasonConflicted, a.namespace+"/tars")
		c.backend.Spec.Hostnames = []gatewayv1.Hostname{"b.example.com"}
		c.create(ctx, c.backend)
		c.expectReady(ctx)

		Expect(a.api.Delete(ctx, a.backend)).To(Succeed())
		b.expectReady(ctx)
		c.expectNotReady(ctx, v1alpha1.ConditionAccepted, v1alpha1.ReasonConflicted, a.namespace+"/ttt")
	})

	DescribeTable("serve both where no request can mean both", func(ctx SpecContext, apart func(a, b *v1alpha1.TarsBackendSpec)) {
		w := newWorld(ctx)
		w.gateway.Spec.Listeners = append(w.gateway.Spec.Listeners,
			gatewayv1.Listener{Name: "more", Port: 81, Protocol: gatewayv1.HTTPProtocolType})
		w.service.Spec.Ports = append(w.service.Spec.Ports, servicePort("http-81", 81))
		w.slice.Ports = append(w.slice.Ports, slicePort("http-81", 10081))
		other := rivalOf(w)
		apart(&w.backend.Spec, &other.backend.Spec)
		w.create(ctx)
		other.create(ctx, other.backend)
		w.expectReady(ctx)
		other.expectReady(ctx)
	},
		Entry("by path", func(_, b *v1alpha1.TarsBackendSpec) { b.PathPrefix = "/b" }),
		Entry("by host", func(a, b *v1alpha1.TarsBackendSpec) {
			a.Hostnames, b.Hostnames = []gatewayv1.Hostname{"a.example.com"}, []gatewayv1.Hostname{"b.example.com"}
		}),
		Entry("by listener", func(a, b *v1alpha1.TarsBackendSpec) {
			http, more := gatewayv1.SectionName("http"), gatewayv1.SectionName("more")
			a.ParentRefs = []gatewayv1.ParentReference{{Name: "gw", SectionName: &http}}
			b.ParentRefs = []gatewayv1.ParentReference{{Name: "gw", SectionName: &more}}
		}),
	)

	DescribeTable("conflict also where hosts only meet", func(ctx SpecContext, a, b gatewayv1.Hostname) {
		w := newWorld(ctx)
		w.backend.Spec.Hostnames = []gatewayv1.Hostname{a}
		other := rivalOf(w)
		other.backend.Spec.Hostnames = []gatewayv1.Hostname{b}
		w.ready(ctx)
		other.create(ctx, other.backend)
		other.expectNotReady(ctx, v1alpha1.ConditionAccepted, v1alpha1.ReasonConflicted)
	},
		Entry("a wildcard over a name", gatewayv1.Hostname("*.example.com"), gatewayv1.Hostname("a.example.com")),
		Entry("a name under a wildcard", gatewayv1.Hostname("a.example.com"), gatewayv1.Hostname("*.example.com")),
	)
})
