// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"slices"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// eventsOf are the world's events with a reason.
func eventsOf(ctx context.Context, w *world, reason string) []eventsv1.Event {
	GinkgoHelper()
	events := &eventsv1.EventList{}
	Expect(w.api.List(ctx, events, client.InNamespace(w.namespace))).To(Succeed())
	return slices.DeleteFunc(events.Items, func(e eventsv1.Event) bool { return e.Reason != reason })
}

// drainWarnings are the notes of the world's events about the drain time.
func drainWarnings(ctx context.Context, w *world) []string {
	GinkgoHelper()
	var notes []string
	for _, e := range eventsOf(ctx, w, v1alpha1.ReasonShortDrainTime) {
		Expect(e.Type).To(Equal("Warning"))
		Expect(e.Regarding.Name).To(Equal(w.backend.Name))
		notes = append(notes, e.Note)
	}
	return notes
}

// drains describes the EnvoyProxies of a world: empty is one without a drain
// time, nil is none.
type drains struct {
	class, gateway *gatewayv1.Duration
	// merge has the Gateway's take from the class's.
	merge bool
	// stream is spec.timeouts.request of the TarsBackend.
	stream gatewayv1.Duration
	// warning is all that the event must say; none: no event.
	warning []string
}

func envoyProxy(w *world, name string, drain gatewayv1.Duration) *egv1a1.EnvoyProxy {
	proxy := &egv1a1.EnvoyProxy{ObjectMeta: w.meta(name)}
	if drain != "" {
		proxy.Spec.Shutdown = &egv1a1.ShutdownConfig{DrainTimeout: &drain}
	}
	return proxy
}

// setUp creates the EnvoyProxies and whatever names them.
func (d drains) setUp(ctx context.Context, w *world) {
	GinkgoHelper()
	if d.class != nil {
		w.create(ctx, envoyProxy(w, "of-class", *d.class))
		class := &gatewayv1.GatewayClass{
			ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
			Spec: gatewayv1.GatewayClassSpec{ControllerName: egController, ParametersRef: &gatewayv1.ParametersReference{
				Group: egv1a1.GroupName, Kind: egv1a1.KindEnvoyProxy, Name: "of-class", Namespace: new(gatewayv1.Namespace(w.namespace)),
			}},
		}
		w.create(ctx, class)
		DeferCleanup(func(ctx SpecContext) { Expect(w.api.Delete(ctx, class)).To(Succeed()) })
		w.gateway.Spec.GatewayClassName = gatewayv1.ObjectName(w.namespace)
	}
	if d.gateway != nil {
		proxy := envoyProxy(w, "of-gateway", *d.gateway)
		if d.merge {
			proxy.Spec.MergeType = new(egv1a1.StrategicMerge)
		}
		w.create(ctx, proxy)
		w.gateway.Spec.Infrastructure = &gatewayv1.GatewayInfrastructure{ParametersRef: &gatewayv1.LocalParametersReference{
			Group: egv1a1.GroupName, Kind: egv1a1.KindEnvoyProxy, Name: "of-gateway",
		}}
	}
	if d.stream != "" {
		w.backend.Spec.Timeouts = &v1alpha1.Timeouts{Request: &d.stream}
	}
}

var _ = Describe("A listener that drains in less time than a stream may take", func() {
	const unset = gatewayv1.Duration("")
	DescribeTable("is told once, when serving begins", func(ctx SpecContext, d drains) {
		w := newWorld(ctx)
		d.setUp(ctx, w)
		w.ready(ctx)
		// The event of Ready comes after it.
		Eventually(func() int { return len(eventsOf(ctx, w, v1alpha1.ReasonReady)) }).Should(Equal(1))
		notes := drainWarnings(ctx, w)
		if d.warning == nil {
			Expect(notes).To(BeEmpty())
			return
		}
		Expect(notes).To(HaveLen(1))
		for _, words := range append(d.warning, w.namespace+"/gw", "spec.shutdown.drainTimeout") {
			Expect(notes[0]).To(ContainSubstring(words))
		}
	},
		Entry("no EnvoyProxy", drains{warning: []string{"after 1m0s (Envoy Gateway's default)", "may take 10m0s"}}),
		Entry("the class's", drains{class: new(gatewayv1.Duration("9m59s")), warning: []string{"after 9m59s", "of-class)"}}),
		Entry("the class's is long enough", drains{class: new(gatewayv1.Duration("10m"))}),
		Entry("the Gateway's comes first", drains{
			class: new(gatewayv1.Duration("10m")), gateway: new(gatewayv1.Duration("5m")), warning: []string{"after 5m0s", "of-gateway)"},
		}),
		Entry("the Gateway's is long enough", drains{class: new(gatewayv1.Duration("1m")), gateway: new(gatewayv1.Duration("1h"))}),
		Entry("the Gateway's says nothing", drains{
			class: new(gatewayv1.Duration("1h")), gateway: new(unset), warning: []string{"after 1m0s (Envoy Gateway's default)"},
		}),
		Entry("the Gateway's says nothing and is merged", drains{class: new(gatewayv1.Duration("1h")), gateway: new(unset), merge: true}),
		Entry("requests that end sooner", drains{stream: "1m"}),
		Entry("requests that end a little later", drains{stream: "61s", warning: []string{"may take 1m1s"}}),
	)

	It("is told when serving ends", func(ctx SpecContext) {
		w := newWorld(ctx)
		drains{gateway: new(gatewayv1.Duration("10m"))}.setUp(ctx, w)
		w.ready(ctx)
		update(ctx, w, named(w, &egv1a1.EnvoyProxy{}, "of-gateway"), func(p *egv1a1.EnvoyProxy) {
			p.Spec.Shutdown.DrainTimeout = new(gatewayv1.Duration("30s"))
		})
		Expect(drainWarnings(ctx, w)).To(BeEmpty())
		Expect(w.api.Delete(ctx, w.backend)).To(Succeed())
		Eventually(func() []string { return drainWarnings(ctx, w) }).Should(ConsistOf(ContainSubstring("after 30s")))
	})

	It("that cannot be looked up keeps nothing from serving", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.gateway.Spec.Infrastructure = &gatewayv1.GatewayInfrastructure{ParametersRef: &gatewayv1.LocalParametersReference{
			Group: egv1a1.GroupName, Kind: egv1a1.KindEnvoyProxy, Name: "missing",
		}}
		w.ready(ctx)
	})
})
