// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// How often and how long. Nothing else in this package has a duration.
const (
	// maxConcurrent reconciles, of different TarsBackends.
	maxConcurrent = 4
	// reconcileTimeout bounds one reconcile: a hung API server must not hold a
	// worker for ever.
	reconcileTimeout = time.Minute
	// firstRetry and lastRetry bound the pauses after an error, each twice the
	// one before.
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Minute
	// failureGrace is how long reconciles may fail before a Ready TarsBackend says so:
	// some five attempts.
	failureGrace = 2 * time.Second
	// batchPause is how long an event about a child, or of the canary, waits for others:
	// with it a TarsBackend takes 4 to 8 reconciles to become Ready, with 50 ms 4 to 9.
	batchPause = 150 * time.Millisecond
)

// ControllerName is that of the controller in metrics and logs.
const ControllerName = "tarsbackend"

// NewTarsBackendReconciler makes the reconciler and its watches.
//
// The context is that of the indexes' informers, which start with the manager.
func NewTarsBackendReconciler(
	ctx context.Context, mgr manager.Manager, prober Prober, settings Settings,
) (*TarsBackendReconciler, error) {
	children, err := newChildrenCache(mgr, settings.Namespaces)
	if err != nil {
		return nil, err
	}
	r := &TarsBackendReconciler{
		client: mgr.GetClient(), children: children, direct: mgr.GetAPIReader(),
		recorder: mgr.GetEventRecorder(string(FieldOwner)),
		prober:   prober, settings: settings, memory: newMemory(),
	}
	if err := indexStatic(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	c, err := ctrl.NewControllerManagedBy(mgr).
		Named(ControllerName).
		For(&v1alpha1.TarsBackend{}, builder.WithPredicates(r.memory.notOurWrite())).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: maxConcurrent,
			ReconciliationTimeout:   reconcileTimeout,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Build(r)
	if err != nil {
		return nil, fmt.Errorf("building the controller: %w", err)
	}
	w := &watcher{
		mgr: mgr, controller: c, reader: mgr.GetClient(), children: children,
		namespaces: settings.Namespaces, started: map[string]bool{}, echoes: r.memory.notOurChild(r.keyOfChild),
	}
	r.platform = &platform{client: mgr.GetClient(), direct: mgr.GetAPIReader(), startWatches: w.startPlatform, stopWatches: w.stopPlatform}
	if err := w.startStatic(prober); err != nil {
		return nil, err
	}
	return r, nil
}

// watcher starts watches, each once.
type watcher struct {
	mgr        manager.Manager
	controller controller.Controller
	reader     client.Reader
	children   cache.Cache
	namespaces []string // those looked after; empty: all
	echoes     predicate.Predicate
	started    map[string]bool
}

// watch starts one watch under a name of its own.
func (w *watcher) watch(name string, src source.Source) error {
	if w.started[name] {
		return nil
	}
	if err := w.controller.Watch(src); err != nil {
		return fmt.Errorf("watching %s: %w", name, err)
	}
	w.started[name] = true
	return nil
}

// needsPlatform says which kinds exist only where Envoy Gateway is installed.
func needsPlatform(kind schema.GroupVersionKind) bool {
	return kind.Group == gatewayv1.GroupName || kind.Group == kindBackend.Group
}

// watchChildren starts the watches on our children of some kinds. Changes of
// status pass: they are how we learn what became of a child.
func (w *watcher) watchChildren(wanted func(schema.GroupVersionKind) bool) error {
	owned := handler.EnqueueRequestForOwner(w.mgr.GetScheme(), w.mgr.GetRESTMapper(), &v1alpha1.TarsBackend{}, handler.OnlyControllerOwner())
	for _, kind := range desired.Kinds() {
		if !wanted(kind) {
			continue
		}
		obj, err := emptyOf(w.mgr.GetScheme(), kind)
		if err != nil {
			return err
		}
		if err := w.watch(watchOfChildren(kind), source.Kind(w.children, obj, batched(owned), w.echoes)); err != nil {
			return err
		}
	}
	return nil
}

func watchOfChildren(kind schema.GroupVersionKind) string { return "children of kind " + kind.Kind }

// startStatic starts the watches that every cluster can serve.
func (w *watcher) startStatic(prober Prober) error {
	if err := w.watchChildren(func(k schema.GroupVersionKind) bool { return !needsPlatform(k) }); err != nil {
		return err
	}
	for _, one := range []struct {
		name string
		obj  client.Object
		h    handler.EventHandler
		p    []predicate.Predicate
	}{
		{"rivals", &v1alpha1.TarsBackend{}, w.byRivals(), []predicate.Predicate{predicate.GenerationChangedPredicate{}}},
		{"source Secrets", metadataOf(kindSecret), queued(w.byIndex(indexSecret, objectKey), priorityKey, 0), nil},
		{"CA ConfigMaps", metadataOf(kindConfigMap), w.byIndex(indexCA, objectKey), nil},
		{"CustomResourceDefinitions", metadataOf(kindCRD), w.everyTarsBackend(), platformCRDsOnly()},
		{"Namespaces", metadataOf(kindNamespace), w.inNamespace(), []predicate.Predicate{predicate.LabelChangedPredicate{}, w.lookedAfter()}},
	} {
		if err := w.watch(one.name, source.Kind(w.mgr.GetCache(), one.obj, one.h, one.p...)); err != nil {
			return err
		}
	}
	return w.watch("the canary", source.Channel(prober.Events(), batched(&handler.EnqueueRequestForObject{})))
}

// startPlatform starts the watches that need the Gateway API's and Envoy
// Gateway's CRDs. It may be called again after it failed.
func (w *watcher) startPlatform(ctx context.Context) error {
	if !w.started[indexClass] {
		if err := indexPlatform(ctx, w.mgr.GetFieldIndexer()); err != nil {
			return err
		}
		w.started[indexClass] = true
	}
	if err := w.watchChildren(needsPlatform); err != nil {
		return err
	}
	for _, one := range []struct {
		name string
		obj  client.Object
		h    handler.EventHandler
		p    []predicate.Predicate
	}{
		{watchOfGateways, &gatewayv1.Gateway{}, w.byGateway(), nil},
		{watchOfClasses, &gatewayv1.GatewayClass{}, w.byClass(), []predicate.Predicate{predicate.GenerationChangedPredicate{}}},
		{"Services of Envoys", &corev1.Service{}, w.byEnvoyLabels(), nil},
		{"EndpointSlices", &discoveryv1.EndpointSlice{}, w.byService(), nil},
	} {
		if err := w.watch(one.name, source.Kind(w.mgr.GetCache(), one.obj, one.h, one.p...)); err != nil {
			return err
		}
	}
	return nil
}

// Names of watches that end when the Gateway API is uninstalled.
const (
	watchOfGateways = "Gateways"
	watchOfClasses  = "GatewayClasses"
)

// stopPlatform ends the watches that startPlatform began, apart from those on
// kinds of Kubernetes itself.
func (w *watcher) stopPlatform(ctx context.Context) error {
	for _, kind := range desired.Kinds() {
		if !needsPlatform(kind) {
			continue
		}
		obj, err := emptyOf(w.mgr.GetScheme(), kind)
		if err != nil {
			return err
		}
		if err := w.children.RemoveInformer(ctx, obj); err != nil {
			return fmt.Errorf("ending the watch on %s: %w", kind.Kind, err)
		}
		delete(w.started, watchOfChildren(kind))
	}
	for _, obj := range []client.Object{&gatewayv1.Gateway{}, &gatewayv1.GatewayClass{}} {
		if err := w.mgr.GetCache().RemoveInformer(ctx, obj); err != nil {
			return fmt.Errorf("ending the watch on %T: %w", obj, err)
		}
	}
	for _, name := range []string{watchOfGateways, watchOfClasses, indexClass} {
		delete(w.started, name)
	}
	return nil
}

func metadataOf(kind schema.GroupVersionKind) client.Object {
	obj := &metav1.PartialObjectMetadata{}
	obj.SetGroupVersionKind(kind)
	return obj
}

func platformCRDsOnly() []predicate.Predicate {
	wanted := platformCRDs()
	return []predicate.Predicate{predicate.NewPredicateFuncs(func(obj client.Object) bool {
		_, ok := wanted[obj.GetName()]
		return ok
	})}
}

// lookedAfter passes the namespaces whose TarsBackends are looked after: the
// cache cannot be asked about those of another.
func (w *watcher) lookedAfter() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(obj client.Object) bool {
		return len(w.namespaces) == 0 || slices.Contains(w.namespaces, obj.GetName())
	})
}

func objectKey(obj client.Object) string { return client.ObjectKeyFromObject(obj).String() }
