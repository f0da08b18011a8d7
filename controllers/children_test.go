// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"strings"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/controllers/desired"
)

// child is a desired object as an administrator sees it.
type child struct {
	kind schema.GroupVersionKind
	name string
}

func (c child) String() string { return c.kind.Kind + " " + c.name }

// children are what exists and is controlled by the world's TarsBackend.
func (w *world) children(ctx context.Context, g Gomega) map[child]*unstructured.Unstructured {
	backend := w.current(ctx, g)
	found := map[child]*unstructured.Unstructured{}
	for _, kind := range desired.Kinds() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		g.Expect(w.api.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
		for i := range list.Items {
			obj := &list.Items[i]
			if metav1.IsControlledBy(obj, backend) {
				found[child{kind: kind, name: obj.GetName()}] = obj
			}
		}
	}
	return found
}

// versions are the children's resourceVersions.
func (w *world) versions(ctx context.Context, g Gomega) map[string]string {
	versions := map[string]string{}
	for c, obj := range w.children(ctx, g) {
		versions[c.String()] = obj.GetResourceVersion()
	}
	return versions
}

// childNames are the names that the contract gives children of a TarsBackend
// named tars; ConfigMaps carry a hash at the end.
func childNames() []string {
	return []string{
		"Secret tars-credential", "Backend tars", "HTTPRouteFilter tars-credential",
		"HTTPRoute tars", "EnvoyExtensionPolicy tars", "BackendTrafficPolicy tars", "ConfigMap tars-extproc-*",
		"Deployment tars-extproc", "Service tars-extproc", "ServiceAccount tars-extproc",
		"PodDisruptionBudget tars-extproc", "NetworkPolicy tars-extproc",
	}
}

// nameInContract replaces the hash in a ConfigMap's name.
func nameInContract(c child) string {
	if c.kind.Kind == "ConfigMap" && strings.HasPrefix(c.name, "tars-extproc-") {
		return "ConfigMap tars-extproc-*"
	}
	return c.String()
}

// find is the one child of a kind and name, as in childNames.
func (w *world) find(ctx context.Context, g Gomega, name string) *unstructured.Unstructured {
	for c, obj := range w.children(ctx, g) {
		if nameInContract(c) == name {
			return obj
		}
	}
	g.Expect(name).To(BeEmpty(), "a child of this name does not exist")
	return nil
}

// exists says whether there is such a child.
func (w *world) exists(ctx context.Context, g Gomega, name string) bool {
	for c := range w.children(ctx, g) {
		if nameInContract(c) == name {
			return true
		}
	}
	return false
}

// routeHash is the hash that the HTTPRoute announces.
func (w *world) routeHash(ctx context.Context, g Gomega) string {
	route := &gatewayv1.HTTPRoute{}
	found := w.find(ctx, g, "HTTPRoute tars")
	g.Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, route)).To(Succeed())
	return desired.AnnouncedHash(route)
}
