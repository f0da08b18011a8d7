// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// finalize lets a TarsBackend go. The garbage collector deletes children in
// any order, so the HTTPRoute goes first, by us: no request may be served by a
// route that has lost a policy.
func (r *TarsBackendReconciler) finalize(ctx context.Context, b *v1alpha1.TarsBackend) error {
	name := client.ObjectKeyFromObject(b)
	r.prober.Forget(name)
	if !slices.Contains(b.Finalizers, v1alpha1.Finalizer) {
		return nil
	}
	// For the watch that tells when the route is gone; what is missing here
	// does not keep anything from being deleted.
	if _, err := r.platform.check(ctx); err != nil {
		return err
	}
	gone, err := r.removeRoutes(ctx, b)
	if err != nil || !gone {
		return err
	}
	changed := b.DeepCopy()
	changed.Finalizers = slices.DeleteFunc(changed.Finalizers, func(f string) bool { return f == v1alpha1.Finalizer })
	patch := client.MergeFromWithOptions(b, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, changed, patch, FieldOwner); client.IgnoreNotFound(err) != nil {
		return attempt(err, "removing the finalizer")
	}
	r.forget(name)
	return nil
}

// removeRoutes deletes our HTTPRoutes and says whether they are gone. It asks
// the API server and goes by the owner alone: a route that lost its label, or
// that the cache has yet to see, serves all the same.
func (r *TarsBackendReconciler) removeRoutes(ctx context.Context, b *v1alpha1.TarsBackend) (bool, error) {
	owner := client.ObjectKeyFromObject(b)
	for _, deleted := range []bool{false, true} {
		routes := &gatewayv1.HTTPRouteList{}
		if err := r.direct.List(ctx, routes, client.InNamespace(b.Namespace)); err != nil {
			if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) { // no such kind any more
				return true, nil
			}
			return false, attempt(err, "listing HTTPRoutes")
		}
		mine, err := controlledBy(routes, b)
		if err != nil {
			return false, err
		}
		if len(mine) == 0 {
			return true, nil
		}
		if deleted {
			break
		}
		if mine[0].GetDeletionTimestamp() == nil {
			r.warnOfDrainAtEnd(ctx, b)
		}
		for _, route := range mine {
			key := childKey{kind: kindHTTPRoute, name: client.ObjectKeyFromObject(route)}
			if err := r.remove(ctx, owner, key, route); err != nil {
				return false, err
			}
		}
	}
	if !r.platform.started() {
		return false, errors.New("waiting for the HTTPRoute to be deleted: something holds it by a finalizer")
	}
	return false, nil
}

// stopTraffic takes a TarsBackend out of service that must not serve: the
// HTTPRoute first, then the key. The rest stays for when it may serve again.
func (r *TarsBackendReconciler) stopTraffic(ctx context.Context, s *scope) error {
	gone, err := r.removeRoutes(ctx, s.backend)
	if err != nil || !gone {
		return err
	}
	s.revoked = true
	return r.deleteDerivedSecret(ctx, s.backend)
}

// deleteDerivedSecret takes the key away from Envoy Gateway.
func (r *TarsBackendReconciler) deleteDerivedSecret(ctx context.Context, b *v1alpha1.TarsBackend) error {
	key := childKey{kind: kindSecret, name: client.ObjectKey{Namespace: b.Namespace, Name: desired.CredentialSecretName(b)}}
	secret, err := r.readDirectly(ctx, client.ObjectKeyFromObject(b), key, newest)
	if err != nil || secret == nil || !metav1.IsControlledBy(secret, b) {
		return err
	}
	return r.remove(ctx, client.ObjectKeyFromObject(b), key, secret)
}
