// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// resolve looks at everything that the spec names. doc.go has the table of
// what each finding means for traffic.
func (r *TarsBackendReconciler) resolve(ctx context.Context, s *scope) (bool, error) {
	if f := r.checkEndpoint(s.backend); f != nil {
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
	served := len(servedParents(s.seen.Parents)) > 0
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

// checkEndpoint refuses an endpoint that the administrator did not allow:
// whoever may edit a TarsBackend could otherwise send the key anywhere.
func (r *TarsBackendReconciler) checkEndpoint(b *v1alpha1.TarsBackend) *conditions.Finding {
	if EndpointAllowed(r.settings.AllowedEndpoints, b.Spec.Endpoint.Hostname) {
		return nil
	}
	return &conditions.Finding{
		Reason: v1alpha1.ReasonEndpointNotAllowed,
		Message: fmt.Sprintf("spec.endpoint.hostname %q is not allowed (allowed: %s): correct it, or have the operator's "+
			"administrator add it to the manager's --allowed-endpoints (chart value endpoints.allowed)",
			b.Spec.Endpoint.Hostname, strings.Join(r.settings.AllowedEndpoints, ", ")),
	}
}

// EndpointAllowed says whether one of the entries allows the host: an entry
// *.name allows the subdomains of name, of any depth and not name itself; any
// other entry allows exactly itself. Case and a trailing dot do not matter.
func EndpointAllowed(entries []string, host string) bool {
	host = canonicalHost(host)
	return slices.ContainsFunc(entries, func(entry string) bool {
		entry = canonicalHost(entry)
		if domain, wildcard := strings.CutPrefix(entry, "*."); wildcard {
			sub, ok := strings.CutSuffix(host, "."+domain)
			return ok && sub != ""
		}
		return entry == host
	})
}

func canonicalHost(h string) string {
	return strings.TrimSuffix(strings.ToLower(h), ".")
}

// resolveParents finds the Gateways and whose they are.
func (r *TarsBackendReconciler) resolveParents(ctx context.Context, s *scope) error {
	labels, err := r.namespaceLabels(ctx, s.backend.Namespace)
	if err != nil {
		return err
	}
	s.seen.NamespaceLabels = labels
	for _, ref := range s.backend.Spec.ParentRefs {
		parent := conditions.Parent{Ref: completeRef(ref, s.backend.Namespace)}
		// With and without our own namespace a ref is the same to HTTPRoute,
		// and listed twice it would be refused there.
		if slices.ContainsFunc(s.seen.Parents, func(p conditions.Parent) bool { return reflect.DeepEqual(p.Ref, parent.Ref) }) {
			continue
		}
		if err := r.resolveParent(ctx, &parent); err != nil {
			return err
		}
		s.seen.Parents = append(s.seen.Parents, parent)
	}
	return nil
}

// namespaceLabels are those that listeners select namespaces by; nil where
// the namespace is not in the cache.
func (r *TarsBackendReconciler) namespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(kindNamespace)
	if err := r.client.Get(ctx, types.NamespacedName{Name: name}, ns); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, attempt(err, "reading Namespace %s", name)
	}
	if ns.Labels == nil {
		return map[string]string{}, nil
	}
	return ns.Labels, nil
}

// completeRef writes out what a ParentReference leaves to its defaults.
func completeRef(ref gatewayv1.ParentReference, namespace string) gatewayv1.ParentReference {
	if ref.Group == nil {
		ref.Group = new(gatewayv1.Group(gatewayv1.GroupName))
	}
	if ref.Kind == nil {
		ref.Kind = new(gatewayv1.Kind("Gateway"))
	}
	if ref.Namespace == nil {
		ref.Namespace = new(gatewayv1.Namespace(namespace))
	}
	return ref
}

// resolveParent fills in one parent. What is missing stays empty, which
// conditions puts into words; a Gateway of someone else is refused.
func (r *TarsBackendReconciler) resolveParent(ctx context.Context, p *conditions.Parent) error {
	name := types.NamespacedName{Namespace: string(*p.Ref.Namespace), Name: string(p.Ref.Name)}
	gateway := &gatewayv1.Gateway{}
	if err := r.client.Get(ctx, name, gateway); err != nil {
		return attempt(client.IgnoreNotFound(err), "reading Gateway %s", name)
	}
	p.Gateway = gateway
	class := &gatewayv1.GatewayClass{}
	if err := r.client.Get(ctx, types.NamespacedName{Name: string(gateway.Spec.GatewayClassName)}, class); err != nil {
		return attempt(client.IgnoreNotFound(err), "reading GatewayClass %s", gateway.Spec.GatewayClassName)
	}
	p.ControllerName = class.Spec.ControllerName
	p.Controlled = slices.Contains(r.settings.GatewayControllerNames, class.Spec.ControllerName)
	if !p.Controlled {
		p.Refused = append(p.Refused, conditions.Finding{
			Reason: v1alpha1.ReasonNotEnvoyGateway,
			Message: fmt.Sprintf("Gateway %s belongs to controller %s, which is no Envoy Gateway known to the operator: name a Gateway "+
				"of Envoy Gateway, or have the operator's administrator add the controller to --gateway-controller-names",
				name, class.Spec.ControllerName),
		})
	}
	return nil
}

// servedParents are those that the HTTPRoute names: only Gateways of Envoy
// Gateway, for another controller would not run our policies.
func servedParents(parents []conditions.Parent) []gatewayv1.ParentReference {
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
