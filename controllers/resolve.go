// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// resolve looks at everything that the spec names. doc.go has the table of
// what each finding means for traffic.
func (r *TarsBackendReconciler) resolve(ctx context.Context, s *scope) (bool, error) {
	if f := r.resolver().Endpoint(s.backend); f != nil {
		s.seen.Refused = append(s.seen.Refused, *f)
		return false, r.stopTraffic(ctx, s)
	}
	for _, step := range []func(context.Context, *scope) error{
		r.resolveCredential, r.resolveCA, r.resolvePlatform, r.resolveRivals,
	} {
		if err := step(ctx, s); err != nil {
			return false, err
		}
	}
	served := len(ServedParents(s.seen.Parents)) > 0
	switch {
	case len(s.seen.Refused) > 0, !served && anyRefused(s.seen.Parents):
		return false, r.stopTraffic(ctx, s)
	case served && len(s.seen.Unresolved) == 0:
		return true, nil
	default:
		return false, r.rotate(ctx, s)
	}
}

// resolvePlatform looks for Envoy Gateway and, where it is installed, for the
// Gateways.
func (r *TarsBackendReconciler) resolvePlatform(ctx context.Context, s *scope) error {
	missing, err := r.platform.check(ctx)
	if missing != nil {
		s.seen.Unresolved = append(s.seen.Unresolved, *missing)
		s.seen.Resolved = true // without the platform there is no more to look at
	}
	if missing != nil || err != nil {
		return err
	}
	if err := r.resolveParents(ctx, s); err != nil {
		return err
	}
	s.seen.Resolved = true
	return nil
}

// resolver looks references up in the manager's cache, and values of Secrets
// and ConfigMaps, which the cache does not hold, at the API server.
func (r *TarsBackendReconciler) resolver() Resolver {
	return Resolver{Reader: r.client, Values: values{told: r.client, direct: r.direct}, Settings: r.settings}
}

// resolveCredential reads the key. A Secret that is gone means that its owner
// wants the key out of use, so the derived Secret goes too, whenever that was.
func (r *TarsBackendReconciler) resolveCredential(ctx context.Context, s *scope) error {
	key, finding, err := r.resolver().Credential(ctx, s.backend)
	s.key = key
	if finding == nil || err != nil {
		return err
	}
	s.seen.Unresolved = append(s.seen.Unresolved, *finding)
	if finding.Reason != v1alpha1.ReasonSecretNotFound {
		return nil
	}
	s.revoked = true
	return r.deleteDerivedSecret(ctx, s.backend)
}

// resolveCA checks the certificate authorities that Envoy is to trust.
func (r *TarsBackendReconciler) resolveCA(ctx context.Context, s *scope) error {
	bundle, findings, err := r.resolver().CA(ctx, s.backend)
	s.authorities = bundle
	s.seen.Unresolved = append(s.seen.Unresolved, findings...)
	return err
}

// resolveRivals looks for an older TarsBackend in our place.
func (r *TarsBackendReconciler) resolveRivals(ctx context.Context, s *scope) error {
	resolver := r.resolver()
	resolver.TarsBackends = func(ctx context.Context, gateway *gatewayv1.Gateway) ([]v1alpha1.TarsBackend, error) {
		list := &v1alpha1.TarsBackendList{}
		path := client.MatchingFields{indexPath: pathAt(objectKey(gateway), s.backend.Spec.PathPrefix)}
		if err := r.client.List(ctx, list, path, client.UnsafeDisableDeepCopy); err != nil {
			return nil, attempt(err, "listing TarsBackends")
		}
		return list.Items, nil
	}
	finding, err := resolver.Rival(ctx, s.seen)
	if finding != nil {
		s.seen.Refused = append(s.seen.Refused, *finding)
	}
	return err
}

// resolveParents finds the Gateways and whose they are.
func (r *TarsBackendReconciler) resolveParents(ctx context.Context, s *scope) (err error) {
	s.seen.Parents, s.seen.NamespaceLabels, err = r.resolver().Parents(ctx, s.backend)
	return err
}

// ServedParents are those that the HTTPRoute names: only Gateways of Envoy
// Gateway, for another controller would not run our policies.
func ServedParents(parents []conditions.Parent) []gatewayv1.ParentReference {
	var refs []gatewayv1.ParentReference
	for _, p := range parents {
		if p.Gateway != nil && p.Controlled {
			refs = append(refs, p.Ref)
		}
	}
	return refs
}

func anyRefused(parents []conditions.Parent) bool {
	return slices.ContainsFunc(parents, func(p conditions.Parent) bool { return len(p.Refused) > 0 })
}
