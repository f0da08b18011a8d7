// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"reflect"
	"sync"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/controllers/manager"
)

// egController is the controllerName that the fake Envoy Gateway answers to.
const egController = gatewayv1.GatewayController("gateway.envoyproxy.io/gatewayclass-controller")

// behaviour is how the fakes treat a namespace. The zero value: all is well.
type behaviour struct {
	noBackendAPI     bool // Envoy Gateway runs without its Backend API
	listenerRefuses  bool // no listener takes HTTPRoutes of this namespace
	policiesRefused  bool
	silent           bool // Envoy Gateway says nothing
	silentOnPolicies bool // it has not got to the policies yet
	podsNotReady     bool
}

// fakeEnvoyGateway plays Envoy Gateway and the Deployment controller: it
// writes the statuses that those would.
type fakeEnvoyGateway struct {
	client client.Client
	stop   func()
	mu     sync.Mutex
	byNS   map[string]behaviour
}

func startFakeEnvoyGateway(cfg *rest.Config) *fakeEnvoyGateway {
	GinkgoHelper()
	scheme, err := manager.Scheme()
	Expect(err).NotTo(HaveOccurred())
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	f := &fakeEnvoyGateway{client: newClient(cfg), byNS: map[string]behaviour{}}
	byNamespace := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: "all"}}}
	})
	b := ctrl.NewControllerManagedBy(mgr).Named("fake-envoy-gateway")
	for _, obj := range []client.Object{
		&gatewayv1.Gateway{}, &gatewayv1.HTTPRoute{}, &egv1a1.EnvoyExtensionPolicy{}, &egv1a1.BackendTrafficPolicy{},
		&egv1a1.Backend{}, &appsv1.Deployment{},
	} {
		b = b.Watches(obj, byNamespace)
	}
	Expect(b.Complete(f)).To(Succeed())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		Eventually(done).Should(Receive(BeNil()))
	})
	DeferCleanup(f.stop)
	return f
}

// behave changes how a namespace is treated, from now on.
func (f *fakeEnvoyGateway) behave(ctx context.Context, namespace string, b behaviour) {
	GinkgoHelper()
	f.mu.Lock()
	f.byNS[namespace] = b
	f.mu.Unlock()
	Eventually(func() error { return f.sync(ctx, namespace) }).Should(Succeed())
}

func (f *fakeEnvoyGateway) Reconcile(ctx context.Context, r reconcile.Request) (reconcile.Result, error) {
	return reconcile.Result{}, f.sync(ctx, r.Namespace)
}

// sync writes every status in a namespace that is not as it should be.
func (f *fakeEnvoyGateway) sync(ctx context.Context, namespace string) error {
	f.mu.Lock()
	b := f.byNS[namespace]
	f.mu.Unlock()
	for _, step := range []func(context.Context, string, behaviour) error{
		f.syncDeployments, f.syncGateways, f.syncRoutes, f.syncPolicies, f.syncBackends,
	} {
		if err := step(ctx, namespace, b); err != nil {
			return client.IgnoreNotFound(err)
		}
	}
	return nil
}

func (f *fakeEnvoyGateway) syncDeployments(ctx context.Context, namespace string, b behaviour) error {
	list := &appsv1.DeploymentList{}
	if err := f.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	for i := range list.Items {
		d := &list.Items[i]
		n := ptr.Deref(d.Spec.Replicas, 1)
		status := appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n}
		if !b.podsNotReady {
			status.ReadyReplicas, status.AvailableReplicas = n, n
		}
		if err := f.write(ctx, d, &d.Status, status); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeEnvoyGateway) syncGateways(ctx context.Context, namespace string, b behaviour) error {
	list := &gatewayv1.GatewayList{}
	if err := f.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	for i := range list.Items {
		g := &list.Items[i]
		if b.silent || !f.ofUs(ctx, g) {
			continue
		}
		status := gatewayv1.GatewayStatus{
			Addresses:  []gatewayv1.GatewayStatusAddress{{Type: ptr.To(gatewayv1.IPAddressType), Value: "192.0.2.1"}},
			Conditions: at(g.Generation, good("Accepted"), good("Programmed")),
		}
		for _, l := range g.Spec.Listeners {
			status.Listeners = append(status.Listeners, gatewayv1.ListenerStatus{
				Name:           l.Name,
				SupportedKinds: []gatewayv1.RouteGroupKind{{Kind: "HTTPRoute"}},
				Conditions:     at(g.Generation, good("Accepted"), good("Programmed"), good("ResolvedRefs")),
			})
		}
		if err := f.write(ctx, g, &g.Status, status); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeEnvoyGateway) syncRoutes(ctx context.Context, namespace string, b behaviour) error {
	list := &gatewayv1.HTTPRouteList{}
	if err := f.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	for i := range list.Items {
		r := &list.Items[i]
		status := gatewayv1.HTTPRouteStatus{RouteStatus: gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{}}}
		for _, ref := range r.Spec.ParentRefs {
			if b.silent || !f.isOurs(ctx, ref, namespace) {
				continue
			}
			accepted, resolved := good("Accepted"), good("ResolvedRefs")
			if b.listenerRefuses {
				accepted = bad("Accepted", "NotAllowedByListeners", "No listeners included by this parent ref allowed this attachment.")
			}
			if b.noBackendAPI {
				resolved = bad("ResolvedRefs", "UnsupportedValue",
					"Failed to process route rule 1 backendRef 0: Backend is disabled in Envoy Gateway configuration.")
			}
			status.Parents = append(status.Parents, gatewayv1.RouteParentStatus{
				ParentRef: ref, ControllerName: egController, Conditions: at(r.Generation, accepted, resolved),
			})
		}
		if err := f.write(ctx, r, &r.Status, status); err != nil {
			return err
		}
	}
	return nil
}

// syncPolicies gives policies a status only where their route exists, as
// Envoy Gateway does.
func (f *fakeEnvoyGateway) syncPolicies(ctx context.Context, namespace string, b behaviour) error {
	extensions, traffic := &egv1a1.EnvoyExtensionPolicyList{}, &egv1a1.BackendTrafficPolicyList{}
	for _, list := range []client.ObjectList{extensions, traffic} {
		if err := f.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return err
		}
	}
	for i := range extensions.Items {
		p := &extensions.Items[i]
		status, err := f.policyStatus(ctx, p, p.Spec.TargetRefs, b)
		if err != nil {
			return err
		}
		if err := f.write(ctx, p, &p.Status, status); err != nil {
			return err
		}
	}
	for i := range traffic.Items {
		p := &traffic.Items[i]
		status, err := f.policyStatus(ctx, p, p.Spec.TargetRefs, b)
		if err != nil {
			return err
		}
		if err := f.write(ctx, p, &p.Status, status); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeEnvoyGateway) policyStatus(ctx context.Context, p client.Object, targets []gatewayv1.LocalPolicyTargetReferenceWithSectionName, b behaviour) (gatewayv1.PolicyStatus, error) {
	status := gatewayv1.PolicyStatus{Ancestors: []gatewayv1.PolicyAncestorStatus{}}
	if b.silent || b.silentOnPolicies {
		return status, nil
	}
	for _, target := range targets {
		route := &gatewayv1.HTTPRoute{}
		err := f.client.Get(ctx, types.NamespacedName{Namespace: p.GetNamespace(), Name: string(target.Name)}, route)
		if client.IgnoreNotFound(err) != nil {
			return status, err
		}
		for _, ref := range route.Spec.ParentRefs {
			if !f.isOurs(ctx, ref, p.GetNamespace()) {
				continue
			}
			accepted := good("Accepted")
			if b.policiesRefused {
				accepted = bad("Accepted", "Invalid", "the policy is broken on purpose")
			}
			status.Ancestors = append(status.Ancestors, gatewayv1.PolicyAncestorStatus{
				AncestorRef: ref, ControllerName: egController, Conditions: at(p.GetGeneration(), accepted),
			})
		}
	}
	return status, nil
}

func (f *fakeEnvoyGateway) syncBackends(ctx context.Context, namespace string, b behaviour) error {
	list := &egv1a1.BackendList{}
	if err := f.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	for i := range list.Items {
		o := &list.Items[i]
		status := egv1a1.BackendStatus{}
		if !b.silent && !b.noBackendAPI {
			status.Conditions = at(o.Generation, good("Accepted"))
		}
		if err := f.write(ctx, o, &o.Status, status); err != nil {
			return err
		}
	}
	return nil
}

// isOurs says whether a parent is a Gateway of the controller under test.
func (f *fakeEnvoyGateway) isOurs(ctx context.Context, ref gatewayv1.ParentReference, namespace string) bool {
	g := &gatewayv1.Gateway{}
	name := types.NamespacedName{Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))), Name: string(ref.Name)}
	return f.client.Get(ctx, name, g) == nil && f.ofUs(ctx, g)
}

// ofUs says whether a Gateway's class belongs to the controller under test.
func (f *fakeEnvoyGateway) ofUs(ctx context.Context, g *gatewayv1.Gateway) bool {
	class := &gatewayv1.GatewayClass{}
	name := types.NamespacedName{Name: string(g.Spec.GatewayClassName)}
	return f.client.Get(ctx, name, class) == nil && class.Spec.ControllerName == egController
}

// write sets a status where it differs.
func (f *fakeEnvoyGateway) write(ctx context.Context, obj client.Object, status, want any) error {
	before := reflect.ValueOf(status).Elem()
	if equality.Semantic.DeepEqual(before.Interface(), want) {
		return nil
	}
	before.Set(reflect.ValueOf(want))
	return f.client.Status().Update(ctx, obj)
}

func good(kind string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: kind, Message: "as wanted"}
}

func bad(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// at stamps conditions with a generation, and always the same time.
func at(generation int64, all ...metav1.Condition) []metav1.Condition {
	for i := range all {
		all[i].ObservedGeneration = generation
		all[i].LastTransitionTime = metav1.Unix(1_700_000_000, 0)
	}
	return all
}
