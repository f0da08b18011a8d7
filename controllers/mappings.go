// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/canary"
)

// byIndex wakes the TarsBackends that an index lists under what value says of
// an object.
func (w *watcher) byIndex(index string, value func(client.Object) string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		return w.indexed(ctx, index, value(obj))
	})
}

func (w *watcher) indexed(ctx context.Context, index, value string) []reconcile.Request {
	return w.list(ctx, client.MatchingFields{index: value})
}

// byRivals wakes the TarsBackends that one which came, went or changed is or was in
// the way of, and those that they are in the way of, at whatever Gateway.
func (w *watcher) byRivals() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		b, ok := obj.(*v1alpha1.TarsBackend)
		if !ok {
			return nil
		}
		return w.behind(ctx, []v1alpha1.TarsBackend{*b})
	})
}

// behind are those that some TarsBackends may keep from serving, at first or second
// hand: younger ones with the same path and a host in common. Each list is read once
// and gets shorter with each that is found.
func (w *watcher) behind(ctx context.Context, first []v1alpha1.TarsBackend) []reconcile.Request {
	seen := map[types.NamespacedName]bool{}
	for i := range first {
		seen[client.ObjectKeyFromObject(&first[i])] = true
	}
	var requests []reconcile.Request
	left := map[string][]v1alpha1.TarsBackend{}
	for queue := first; len(queue) > 0; queue = queue[1:] {
		b := &queue[0]
		for _, at := range pathsOf(b) {
			if _, ok := left[at]; !ok {
				left[at] = w.at(ctx, at)
			}
			left[at] = slices.DeleteFunc(left[at], func(other v1alpha1.TarsBackend) bool {
				name := client.ObjectKeyFromObject(&other)
				if !seen[name] && older(b, &other) && hostsMeet(hostsOf(b), hostsOf(&other)) {
					seen[name] = true
					queue = append(queue, other)
					requests = append(requests, reconcile.Request{NamespacedName: name})
				}
				return seen[name]
			})
		}
	}
	return requests
}

// at lists the TarsBackends of a path at a Gateway, which are not to be changed.
func (w *watcher) at(ctx context.Context, pathAtGateway string) []v1alpha1.TarsBackend {
	found := &v1alpha1.TarsBackendList{}
	if err := w.reader.List(ctx, found, client.MatchingFields{indexPath: pathAtGateway}, client.UnsafeDisableDeepCopy); err != nil {
		logf.FromContext(ctx).Error(err, "Could not list the TarsBackends of a path", "path", pathAtGateway)
		return nil
	}
	return found.Items
}

// byGateway wakes the TarsBackends at a Gateway, and those behind them elsewhere.
func (w *watcher) byGateway() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		return w.withThoseBehind(ctx, client.MatchingFields{indexGateway: objectKey(obj)})
	})
}

// everyTarsBackend wakes all: for events about the cluster as a whole.
func (w *watcher) everyTarsBackend() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return w.list(ctx)
	})
}

// inNamespace wakes the TarsBackends of a namespace, and those behind them.
func (w *watcher) inNamespace() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		return w.withThoseBehind(ctx, client.InNamespace(obj.GetName()))
	})
}

// byClass wakes the TarsBackends at the Gateways of a class.
func (w *watcher) byClass() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		return w.ofClass(ctx, obj.GetName())
	})
}

func (w *watcher) ofClass(ctx context.Context, class string) []reconcile.Request {
	gateways := &gatewayv1.GatewayList{}
	if err := w.reader.List(ctx, gateways, client.MatchingFields{indexClass: class}); err != nil {
		logf.FromContext(ctx).Error(err, "Could not list the Gateways of a class", "gatewayClass", class)
		return nil
	}
	var requests []reconcile.Request
	for i := range gateways.Items {
		requests = append(requests, w.indexed(ctx, indexGateway, objectKey(&gateways.Items[i]))...)
	}
	return requests
}

// byEnvoyLabels wakes the TarsBackends that a Service's Envoys serve.
func (w *watcher) byEnvoyLabels() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(w.servedBy)
}

func (w *watcher) servedBy(ctx context.Context, obj client.Object) []reconcile.Request {
	labels := obj.GetLabels()
	if name := labels[canary.LabelOwningGatewayName]; name != "" {
		gateway := types.NamespacedName{Namespace: labels[canary.LabelOwningGatewayNamespace], Name: name}
		return w.indexed(ctx, indexGateway, gateway.String())
	}
	if class := labels[canary.LabelOwningGatewayClass]; class != "" {
		return w.ofClass(ctx, class)
	}
	return nil
}

// byService wakes the TarsBackends that an EndpointSlice's Service is of: of
// an external processor, whose last old pod may just have gone, or of Envoys.
func (w *watcher) byService() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		service := &corev1.Service{}
		name := types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetLabels()[discoveryv1.LabelServiceName]}
		// Not the cache of our children: it may be limited to namespaces that hold
		// no Envoys.
		err := w.reader.Get(ctx, name, service)
		if client.IgnoreNotFound(err) != nil {
			logf.FromContext(ctx).Error(err, "Could not read the Service of an EndpointSlice", "service", name)
		}
		if owner := metav1.GetControllerOf(service); err == nil && owner != nil && owner.Kind == "TarsBackend" {
			return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: name.Namespace, Name: owner.Name}}}
		}
		// An EndpointSlice has its Service's labels.
		return w.servedBy(ctx, obj)
	})
}

// list turns a list of TarsBackends into requests.
func (w *watcher) list(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	return requestsFor(w.read(ctx, opts...))
}

// withThoseBehind is list for events that may change who serves.
func (w *watcher) withThoseBehind(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	found := w.read(ctx, opts...)
	return append(requestsFor(found), w.behind(ctx, found)...)
}

func (w *watcher) read(ctx context.Context, opts ...client.ListOption) []v1alpha1.TarsBackend {
	found := &v1alpha1.TarsBackendList{}
	if err := w.reader.List(ctx, found, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		logf.FromContext(ctx).Error(err, "Could not list TarsBackends")
		return nil
	}
	return found.Items
}

func requestsFor(backends []v1alpha1.TarsBackend) []reconcile.Request {
	requests := make([]reconcile.Request, 0, len(backends))
	for i := range backends {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&backends[i])})
	}
	return requests
}
