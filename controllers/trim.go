// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"unique"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/controllers/desired"
)

// trim takes out of a child of ours what nobody reads: the manager holds a
// dozen of them for each TarsBackend. What is left is metadata, status, and of
// the specs what conditions are made of; that somebody changed the rest is told
// by the generation.
func trim(obj client.Object) {
	obj.SetManagedFields(nil)
	obj.SetLabels(shared(obj.GetLabels()))
	switch o := obj.(type) {
	case *gatewayv1.HTTPRoute:
		o.Spec = gatewayv1.HTTPRouteSpec{Rules: desired.Announcements(o)}
	case *egv1a1.EnvoyExtensionPolicy:
		o.Spec = desired.Standing(o)
	case *egv1a1.BackendTrafficPolicy:
		o.Spec = egv1a1.BackendTrafficPolicySpec{}
	case *egv1a1.Backend:
		o.Spec = egv1a1.BackendSpec{}
	case *appsv1.Deployment:
		spec := appsv1.DeploymentSpec{Replicas: o.Spec.Replicas}
		spec.Template.Annotations = o.Spec.Template.Annotations
		o.Spec = spec
	case *corev1.Service:
		o.Spec, o.Status = corev1.ServiceSpec{}, corev1.ServiceStatus{}
	case *discoveryv1.EndpointSlice:
		o.Endpoints, o.Ports = nil, nil
	}
}

// shared are labels whose strings all objects have in common.
func shared(labels map[string]string) map[string]string {
	if labels == nil {
		return nil
	}
	same := make(map[string]string, len(labels))
	for k, v := range labels {
		same[unique.Make(k).Value()] = unique.Make(v).Value()
	}
	return same
}

// onlyNamed leaves of objects whose changes alone matter what tells one from another.
// A cluster has many Secrets, some with long labels; and kubectl's annotation of what
// was last applied holds a whole Secret.
func onlyNamed(in any) (any, error) {
	if obj, ok := in.(client.Object); ok {
		obj.SetManagedFields(nil)
		obj.SetAnnotations(nil)
		obj.SetLabels(nil)
		obj.SetOwnerReferences(nil)
		obj.SetFinalizers(nil)
	}
	return in, nil
}

// trimmed is trim for a cache of nothing but our children.
func trimmed(in any) (any, error) {
	if obj, ok := in.(client.Object); ok {
		trim(obj)
	}
	return in, nil
}

// trimmedIfOurs is trim for a cache that has others' objects beside ours.
func trimmedIfOurs(in any) (any, error) {
	obj, ok := in.(client.Object)
	if !ok {
		return in, nil
	}
	obj.SetManagedFields(nil)
	if desired.IsChild(obj) {
		trim(obj)
	}
	return in, nil
}
