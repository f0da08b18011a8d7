// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/manager"
)

const egController = gatewayv1.GatewayController("gateway.envoyproxy.io/gatewayclass-controller")

// platform plays Envoy Gateway and the Deployment controller: it writes the statuses
// that they would where all is well. Its cache is what the stub of the Envoys goes by,
// and gives out its objects themselves: copies would cost what the manager needs.
type platform struct {
	cache client.Reader
	api   client.Client
	envoy *envoy
}

// startPlatform runs it until ctx ends.
func startPlatform(ctx context.Context, c *cluster) (*platform, error) {
	scheme, err := manager.Scheme()
	if err != nil {
		return nil, fmt.Errorf("the scheme: %w", err)
	}
	mgr, err := ctrl.NewManager(c.admin, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Cache: cache.Options{DefaultTransform: cache.TransformStripManagedFields(), DefaultUnsafeDisableDeepCopy: new(true)},
	})
	if err != nil {
		return nil, fmt.Errorf("the stub of Envoy Gateway: %w", err)
	}
	p := &platform{cache: mgr.GetClient(), api: mgr.GetClient()}
	if err := errors.Join(
		keep(mgr, &gatewayv1.Gateway{}, p.gateway),
		keep(mgr, &gatewayv1.HTTPRoute{}, p.route),
		keep(mgr, &egv1a1.EnvoyExtensionPolicy{}, p.extension),
		keep(mgr, &egv1a1.BackendTrafficPolicy{}, p.traffic),
		keep(mgr, &egv1a1.Backend{}, p.backend),
		keep(mgr, &appsv1.Deployment{}, p.deployment),
	); err != nil {
		return nil, fmt.Errorf("the stub of Envoy Gateway: %w", err)
	}
	if p.envoy, err = startEnvoy(ctx, mgr); err != nil {
		return nil, err
	}
	if _, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.TarsBackend{}); err != nil {
		return nil, fmt.Errorf("watching TarsBackends: %w", err)
	}
	go func() {
		if err := mgr.Start(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "scale: the stub of Envoy Gateway ended:", err)
		}
	}()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return nil, errors.New("the stub of Envoy Gateway does not see the cluster")
	}
	return p, nil
}

// keep has the status of every object of a kind set as it should be.
func keep[T client.Object](mgr ctrl.Manager, kind T, set func(context.Context, T) error) error {
	return ctrl.NewControllerManagedBy(mgr).For(kind).
		WithOptions(controller.Options{MaxConcurrentReconciles: writers}).
		Complete(reconcile.Func(func(ctx context.Context, r reconcile.Request) (reconcile.Result, error) {
			obj, ok := kind.DeepCopyObject().(T)
			if !ok {
				return reconcile.Result{}, fmt.Errorf("a copy of %T is another type", kind)
			}
			if err := mgr.GetClient().Get(ctx, r.NamespacedName, obj); err != nil {
				return reconcile.Result{}, client.IgnoreNotFound(err)
			}
			err := set(ctx, obj)
			if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
				return reconcile.Result{}, nil // the event about what is newer comes
			}
			return reconcile.Result{}, err
		}))
}

// write sets a status where it differs. What an answer is read into is a copy: the
// maps and lists of obj are the cache's.
func (p *platform) write(ctx context.Context, obj client.Object, at, want any) error {
	before := reflect.ValueOf(at).Elem()
	if equality.Semantic.DeepEqual(before.Interface(), want) {
		return nil
	}
	before.Set(reflect.ValueOf(want))
	changed, ok := obj.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("a copy of %T is another type", obj)
	}
	return p.api.Status().Update(ctx, changed)
}

func good(generation int64, kinds ...string) []metav1.Condition {
	all := make([]metav1.Condition, 0, len(kinds))
	for _, kind := range kinds {
		all = append(all, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: kind, Message: "stub", ObservedGeneration: generation,
			LastTransitionTime: metav1.Unix(1_700_000_000, 0),
		})
	}
	return all
}

func (p *platform) gateway(ctx context.Context, g *gatewayv1.Gateway) error {
	want := gatewayv1.GatewayStatus{
		Addresses:  []gatewayv1.GatewayStatusAddress{{Type: new(gatewayv1.IPAddressType), Value: envoyAddress}},
		Conditions: good(g.Generation, "Accepted", "Programmed"),
	}
	for _, l := range g.Spec.Listeners {
		want.Listeners = append(want.Listeners, gatewayv1.ListenerStatus{
			Name: l.Name, SupportedKinds: []gatewayv1.RouteGroupKind{{Kind: "HTTPRoute"}},
			Conditions: good(g.Generation, "Accepted", "Programmed", "ResolvedRefs"),
		})
	}
	return p.write(ctx, g, &g.Status, want)
}

func (p *platform) route(ctx context.Context, r *gatewayv1.HTTPRoute) error {
	want := gatewayv1.HTTPRouteStatus{}
	for _, ref := range r.Spec.ParentRefs {
		want.Parents = append(want.Parents, gatewayv1.RouteParentStatus{
			ParentRef: ref, ControllerName: egController, Conditions: good(r.Generation, "Accepted", "ResolvedRefs"),
		})
	}
	return p.write(ctx, r, &r.Status, want)
}

func policyStatus(generation int64) gatewayv1.PolicyStatus {
	ref := gatewayv1.ParentReference{
		Group: new(gatewayv1.Group(gatewayv1.GroupName)), Kind: new(gatewayv1.Kind("Gateway")), Name: gateway,
	}
	return gatewayv1.PolicyStatus{Ancestors: []gatewayv1.PolicyAncestorStatus{{
		AncestorRef: ref, ControllerName: egController, Conditions: good(generation, "Accepted"),
	}}}
}

func (p *platform) extension(ctx context.Context, o *egv1a1.EnvoyExtensionPolicy) error {
	return p.write(ctx, o, &o.Status, policyStatus(o.Generation))
}

func (p *platform) traffic(ctx context.Context, o *egv1a1.BackendTrafficPolicy) error {
	return p.write(ctx, o, &o.Status, policyStatus(o.Generation))
}

func (p *platform) backend(ctx context.Context, o *egv1a1.Backend) error {
	return p.write(ctx, o, &o.Status, egv1a1.BackendStatus{Conditions: good(o.Generation, "Accepted")})
}

func (p *platform) deployment(ctx context.Context, d *appsv1.Deployment) error {
	n := *d.Spec.Replicas
	return p.write(ctx, d, &d.Status, appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n,
	})
}
