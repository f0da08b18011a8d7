// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// gatewayAPI is the group and version of the Gateway API that we speak.
var gatewayAPI = schema.GroupVersion{Group: gatewayv1.GroupName, Version: "v1"}

var (
	kindNamespace     = corev1.SchemeGroupVersion.WithKind("Namespace")
	kindSecret        = corev1.SchemeGroupVersion.WithKind("Secret")
	kindConfigMap     = corev1.SchemeGroupVersion.WithKind("ConfigMap")
	kindPod           = corev1.SchemeGroupVersion.WithKind("Pod")
	kindDeployment    = appsv1.SchemeGroupVersion.WithKind("Deployment")
	kindCRD           = apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition")
	kindHTTPRoute     = gatewayAPI.WithKind("HTTPRoute")
	kindBackend       = egv1a1.GroupVersion.WithKind("Backend")
	kindExtension     = egv1a1.GroupVersion.WithKind("EnvoyExtensionPolicy")
	kindTrafficPolicy = egv1a1.GroupVersion.WithKind("BackendTrafficPolicy")
)

// readWhole says which kinds are cached as whole objects: those whose status
// or spec we read. Of all others the cache holds metadata only, which is all
// that drift detection needs, and keeps Secrets' and ConfigMaps' data out of
// the manager's memory.
func readWhole(kind schema.GroupVersionKind) bool {
	switch kind {
	case kindDeployment, kindHTTPRoute, kindBackend, kindExtension, kindTrafficPolicy:
		return true
	default:
		return false
	}
}

// emptyOf is an object to read a kind into.
func emptyOf(scheme *runtime.Scheme, kind schema.GroupVersionKind) (client.Object, error) {
	if !readWhole(kind) {
		obj := &metav1.PartialObjectMetadata{}
		obj.SetGroupVersionKind(kind)
		return obj, nil
	}
	obj, err := scheme.New(kind)
	if err != nil {
		return nil, fmt.Errorf("making an empty %s: %w", kind.Kind, err)
	}
	typed, ok := obj.(client.Object)
	if !ok {
		return nil, fmt.Errorf("kind %s is no API object", kind.Kind)
	}
	return typed, nil
}

// emptyListOf is a list to read a kind into.
func emptyListOf(scheme *runtime.Scheme, kind schema.GroupVersionKind) (client.ObjectList, error) {
	listKind := kind.GroupVersion().WithKind(kind.Kind + "List")
	if !readWhole(kind) {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(listKind)
		return list, nil
	}
	obj, err := scheme.New(listKind)
	if err != nil {
		return nil, fmt.Errorf("making an empty list of %s: %w", kind.Kind, err)
	}
	typed, ok := obj.(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("kind %s is no list", listKind.Kind)
	}
	return typed, nil
}

const (
	labelManagedBy        = "app.kubernetes.io/managed-by"
	managedByUs           = "tars-operator"
	managedByEnvoyGateway = "envoy-gateway"
)

// CacheOptions are those of the manager's cache, which holds what is not ours:
// TarsBackends, what they name, and Envoy Gateway's Services. Users name
// Secrets and ConfigMaps freely, so that all of them are watched; of those we
// hold names and versions. Our children have a cache of their own.
//
// Where namespaces are given, TarsBackends, Secrets and ConfigMaps are those of
// these namespaces alone. Gateways and the Services of Envoys stay those of all:
// a TarsBackend may name a Gateway of any namespace, and Envoys run wherever
// Envoy Gateway puts them.
func CacheOptions(namespaces []string) (cache.Options, error) {
	services, err := labels.NewRequirement(labelManagedBy, selection.In, []string{managedByUs, managedByEnvoyGateway})
	if err != nil {
		return cache.Options{}, fmt.Errorf("building a label selector: %w", err)
	}
	// Only kinds of Kubernetes itself: a kind without its CRD would keep the
	// manager from starting.
	options := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:                            {Transform: onlyNamed, Namespaces: onlyIn(namespaces)},
			&corev1.ConfigMap{}:                         {Transform: onlyNamed, Namespaces: onlyIn(namespaces)},
			&apiextensionsv1.CustomResourceDefinition{}: {Transform: onlyNamed},
			&corev1.Service{}:                           {Label: labels.NewSelector().Add(*services), Transform: trimmedIfOurs},
			&discoveryv1.EndpointSlice{}:                {Label: labels.NewSelector().Add(*services), Transform: trimmedIfOurs},
		},
	}
	if len(namespaces) > 0 {
		// The one CRD that the manager cannot start without anyway.
		options.ByObject[&v1alpha1.TarsBackend{}] = cache.ByObject{Namespaces: onlyIn(namespaces)}
	}
	return options, nil
}

// newChildrenCache makes the cache of our children. It holds nothing without
// our label, so its size follows the number of TarsBackends and not that of
// the cluster's Deployments and HTTPRoutes.
func newChildrenCache(mgr manager.Manager, namespaces []string) (cache.Cache, error) {
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient:           mgr.GetHTTPClient(),
		Scheme:               mgr.GetScheme(),
		Mapper:               mgr.GetRESTMapper(),
		DefaultLabelSelector: labels.SelectorFromSet(labels.Set{labelManagedBy: managedByUs}),
		DefaultTransform:     trimmed,
		DefaultNamespaces:    onlyIn(namespaces),
	})
	if err != nil {
		return nil, fmt.Errorf("making the children's cache: %w", err)
	}
	if err := mgr.Add(c); err != nil {
		return nil, fmt.Errorf("adding the children's cache: %w", err)
	}
	return c, nil
}
