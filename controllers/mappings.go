// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

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

// byGateways wakes the TarsBackends that share a Gateway with one that came,
// went or changed: it may have been in their way, or they in its.
func (w *watcher) byGateways() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		gateways := gatewaysOf(obj)
		requests := make([]reconcile.Request, 0, len(gateways))
		for _, gateway := range gateways {
			requests = append(requests, w.indexed(ctx, indexGateway, gateway)...)
		}
		return requests
	})
}

// everyTarsBackend wakes all: for events about the cluster as a whole.
func (w *watcher) everyTarsBackend() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		return w.list(ctx)
	})
}

// inNamespace wakes the TarsBackends of a namespace.
func (w *watcher) inNamespace() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		return w.list(ctx, client.InNamespace(obj.GetName()))
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
	found := &v1alpha1.TarsBackendList{}
	if err := w.reader.List(ctx, found, opts...); err != nil {
		logf.FromContext(ctx).Error(err, "Could not list TarsBackends")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(found.Items))
	for i := range found.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&found.Items[i])})
	}
	return requests
}
