// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// keyOfChild names a desired object.
func (r *TarsBackendReconciler) keyOfChild(obj client.Object) (childKey, error) {
	kind, err := apiutil.GVKForObject(obj, r.client.Scheme())
	if err != nil {
		return childKey{}, fmt.Errorf("finding the kind of %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	return childKey{kind: kind, name: client.ObjectKeyFromObject(obj)}, nil
}

// live is the newest that is known of an object, or nil where it does not
// exist. Kinds that readWhole does not list come as metadata.
//
// The cache holds only objects with our label, and it may lag. So absence is
// asked of the API server, and of what is present the later of the cache's
// and the API server's last answer to us counts. What we never wrote it may tell as
// of a moment ago: who writes what is absent by this makes it anew only (onlyNew).
func (r *TarsBackendReconciler) live(ctx context.Context, owner types.NamespacedName, key childKey) (client.Object, error) {
	cached, err := emptyOf(r.client.Scheme(), key.kind)
	if err != nil {
		return nil, err
	}
	remembered, ok := r.memory.get(owner, key)
	err = r.children.Get(ctx, key.name, cached)
	if apierrors.IsNotFound(err) {
		version := atHand
		if ok {
			version = remembered.object.GetResourceVersion()
		}
		return r.readDirectly(ctx, owner, key, version)
	}
	if err != nil {
		return nil, attempt(err, "reading %s", key)
	}
	if !ok {
		return cached, nil
	}
	ahead, err := newer(remembered.object, cached)
	if err != nil {
		return nil, err
	}
	if ahead {
		return remembered.object, nil
	}
	return cached, nil
}

// readDirectly asks the API server for an object as it was at a version or later.
func (r *TarsBackendReconciler) readDirectly(
	ctx context.Context, owner types.NamespacedName, key childKey, version string,
) (client.Object, error) {
	obj, err := emptyOf(r.client.Scheme(), key.kind)
	if err != nil {
		return nil, err
	}
	err = r.direct.Get(ctx, key.name, obj, notOlder(version))
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		r.memory.drop(owner, key)
		return nil, nil
	}
	if err != nil {
		return nil, attempt(err, "reading %s", key)
	}
	return obj, nil
}

// mine lists the children that exist: those with our label, in our
// TarsBackend's namespace, that it controls.
func (r *TarsBackendReconciler) mine(ctx context.Context, b *v1alpha1.TarsBackend, kind schema.GroupVersionKind) ([]client.Object, error) {
	list, err := emptyListOf(r.client.Scheme(), kind)
	if err != nil {
		return nil, err
	}
	if err := r.children.List(ctx, list, client.InNamespace(b.Namespace), client.MatchingLabels(desired.SelectorLabels(b))); err != nil {
		return nil, attempt(err, "listing %s", kind.Kind)
	}
	return controlledBy(list, b)
}

func controlledBy(list client.ObjectList, b *v1alpha1.TarsBackend) ([]client.Object, error) {
	items, err := meta.ExtractList(list)
	if err != nil {
		return nil, fmt.Errorf("reading a list: %w", err)
	}
	var mine []client.Object
	for _, item := range items {
		if obj, ok := item.(client.Object); ok && metav1.IsControlledBy(obj, b) {
			mine = append(mine, obj)
		}
	}
	slices.SortFunc(mine, func(a, b client.Object) int { return strings.Compare(a.GetName(), b.GetName()) })
	return mine, nil
}

// remove deletes exactly this object: one of the same name that came after it
// stays.
func (r *TarsBackendReconciler) remove(ctx context.Context, owner types.NamespacedName, key childKey, obj client.Object) error {
	err := r.client.Delete(ctx, obj, client.Preconditions{UID: new(obj.GetUID())})
	if client.IgnoreNotFound(err) != nil {
		return attempt(err, "deleting %s", key)
	}
	r.memory.drop(owner, key)
	return nil
}
