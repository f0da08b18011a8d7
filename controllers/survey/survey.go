// SPDX-License-Identifier: Apache-2.0

// Package survey looks up what a TarsBackend names as the manager does, without
// acting on it: in files, or in a cluster with a user's rights. What could not
// be seen is neither good nor bad; it is told apart.
package survey

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// Source is where to look.
type Source interface {
	controllers.Getter
	// Unseen says in words why an object that Get did not find may exist all
	// the same; empty: it does not exist. It is asked after Get.
	Unseen(kind string, name types.NamespacedName) string
	// TarsBackends are those that may be in each other's way.
	TarsBackends(context.Context, *gatewayv1.Gateway) ([]v1alpha1.TarsBackend, error)
}

// Survey is what was found.
type Survey struct {
	// Seen is what the conditions are judged by. It lacks the parents whose
	// Gateway was not seen; a class that was not seen counts as Envoy Gateway's.
	Seen conditions.Observation
	// Served are the parentRefs that the HTTPRoute names, those whose Gateway
	// was not seen included.
	Served []gatewayv1.ParentReference
	// Secret is that of the credential; nil: not seen, or not there.
	Secret *corev1.Secret
	// Assumed says in words what was not seen, and what is taken for granted
	// about it.
	Assumed []string
}

// Take resolves the references of a TarsBackend.
func Take(ctx context.Context, source Source, b *v1alpha1.TarsBackend, settings controllers.Settings) (Survey, error) {
	resolver := controllers.Resolver{Reader: source, Values: source, TarsBackends: source.TarsBackends, Settings: settings}
	s := Survey{Seen: conditions.Observation{Backend: b, Resolved: true}}
	if f := resolver.Endpoint(b); f != nil {
		s.Seen.Refused = append(s.Seen.Refused, *f)
	}
	if err := s.credential(ctx, source, resolver); err != nil {
		return s, err
	}
	if err := s.authorities(ctx, source, resolver); err != nil {
		return s, err
	}
	var err error
	if s.Seen.Parents, s.Seen.NamespaceLabels, err = resolver.Parents(ctx, b); err != nil {
		return s, fmt.Errorf("looking for the Gateways: %w", err)
	}
	s.parents(source, settings)
	rival, err := resolver.Rival(ctx, s.Seen)
	if err != nil {
		return s, fmt.Errorf("looking for a TarsBackend in the same place: %w", err)
	}
	if rival != nil {
		s.Seen.Refused = append(s.Seen.Refused, *rival)
	}
	return s, nil
}

func (s *Survey) credential(ctx context.Context, source Source, resolver controllers.Resolver) error {
	b := s.Seen.Backend
	ref := b.Spec.Credential.SecretRef
	name := types.NamespacedName{Namespace: b.Namespace, Name: ref.Name}
	_, finding, err := resolver.Credential(ctx, b)
	if err != nil {
		return fmt.Errorf("looking for the credential: %w", err)
	}
	if why := source.Unseen("Secret", name); why != "" {
		s.assume("Secret", name, why+": taken to hold a key under "+ref.Key)
		return nil
	}
	if finding != nil {
		s.Seen.Unresolved = append(s.Seen.Unresolved, *finding)
	}
	secret := &corev1.Secret{}
	if err := source.Get(ctx, name, secret); err == nil {
		s.Secret = secret
	}
	return nil
}

func (s *Survey) authorities(ctx context.Context, source Source, resolver controllers.Resolver) error {
	b := s.Seen.Backend
	_, findings, err := resolver.CA(ctx, b)
	if err != nil {
		return fmt.Errorf("looking for the certificate authorities: %w", err)
	}
	if tls := b.Spec.Endpoint.TLS; tls != nil && tls.Validation != nil {
		for _, ref := range tls.Validation.CACertificateRefs {
			name := types.NamespacedName{Namespace: b.Namespace, Name: string(ref.Name)}
			if why := source.Unseen("ConfigMap", name); why != "" {
				s.assume("ConfigMap", name, why+": taken to hold a certificate under ca.crt")
				return nil // there is at most one
			}
		}
	}
	s.Seen.Unresolved = append(s.Seen.Unresolved, findings...)
	return nil
}

// parents decides on those that too little is known about.
func (s *Survey) parents(source Source, settings controllers.Settings) {
	s.Seen.Parents = slices.DeleteFunc(s.Seen.Parents, func(p conditions.Parent) bool {
		if p.Gateway != nil {
			return false
		}
		name := types.NamespacedName{Namespace: string(*p.Ref.Namespace), Name: string(p.Ref.Name)}
		why := source.Unseen("Gateway", name)
		if why == "" {
			return false
		}
		s.assume("Gateway", name, why+": taken to be one of Envoy Gateway")
		s.Served = append(s.Served, p.Ref)
		return true
	})
	for i := range s.Seen.Parents {
		p := &s.Seen.Parents[i]
		if p.Gateway == nil || p.ControllerName != "" {
			continue
		}
		class := types.NamespacedName{Name: string(p.Gateway.Spec.GatewayClassName)}
		if why := source.Unseen("GatewayClass", class); why != "" {
			s.assume("GatewayClass", class, why+": taken to be Envoy Gateway's")
			p.Controlled = true
			if len(settings.GatewayControllerNames) > 0 {
				p.ControllerName = settings.GatewayControllerNames[0]
			}
		}
	}
	served := append(s.Served, controllers.ServedParents(s.Seen.Parents)...)
	s.Served = inOrder(served, s.Seen.Backend)
}

// inOrder sorts parentRefs as the spec has them.
func inOrder(refs []gatewayv1.ParentReference, b *v1alpha1.TarsBackend) []gatewayv1.ParentReference {
	place := func(ref gatewayv1.ParentReference) int {
		return slices.IndexFunc(b.Spec.ParentRefs, func(p gatewayv1.ParentReference) bool {
			return p.Name == ref.Name && string(*ref.Namespace) == valueOr(p.Namespace, b.Namespace) &&
				valueOr(p.SectionName, "") == valueOr(ref.SectionName, "")
		})
	}
	slices.SortStableFunc(refs, func(a, b gatewayv1.ParentReference) int { return place(a) - place(b) })
	return refs
}

func valueOr[T ~string](p *T, otherwise string) string {
	if p == nil {
		return otherwise
	}
	return string(*p)
}

func (s *Survey) assume(kind string, name types.NamespacedName, what string) {
	full := name.Name
	if name.Namespace != "" {
		full = name.String()
	}
	s.Assumed = append(s.Assumed, fmt.Sprintf("%s %s %s", kind, full, what))
}
