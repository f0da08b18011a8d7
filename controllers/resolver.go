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

// Getter reads one object.
type Getter interface {
	Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error
}

// Resolver looks up what the spec of a TarsBackend names, and judges it. It
// only reads: what a finding means for the children is the reconciler's
// business. The commands render and check resolve by it too, from files and
// with a user's rights.
type Resolver struct {
	// Reader has Gateways, their classes, and the metadata of namespaces.
	Reader Getter
	// Values has Secrets and ConfigMaps whole.
	Values Getter
	// TarsBackends lists those that name a Gateway and have the path that rivals are
	// looked for at, and may list more. They are not to be changed.
	TarsBackends func(context.Context, *gatewayv1.Gateway) ([]v1alpha1.TarsBackend, error)
	// Settings are the manager's.
	Settings Settings
}

// Endpoint refuses an endpoint that the administrator did not allow:
// whoever may edit a TarsBackend could otherwise send the key anywhere.
func (r Resolver) Endpoint(b *v1alpha1.TarsBackend) *conditions.Finding {
	if EndpointAllowed(r.Settings.AllowedEndpoints, b.Spec.Endpoint.Hostname) {
		return nil
	}
	return &conditions.Finding{
		Reason: v1alpha1.ReasonEndpointNotAllowed,
		Message: fmt.Sprintf("spec.endpoint.hostname %q is not allowed (allowed: %s): correct it, or have the operator's "+
			"administrator add it to the manager's --allowed-endpoints (chart value endpoints.allowed)",
			b.Spec.Endpoint.Hostname, strings.Join(r.Settings.AllowedEndpoints, ", ")),
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

// AllowedByName says whether an entry is this very host, not a pattern: then an
// administrator knows where it leads.
func AllowedByName(entries []string, host string) bool {
	return slices.ContainsFunc(entries, func(entry string) bool { return canonicalHost(entry) == canonicalHost(host) })
}

func canonicalHost(h string) string {
	return strings.TrimSuffix(strings.ToLower(h), ".")
}

// Parents finds the Gateways and whose they are, and the labels by which their
// listeners may select the namespace (nil: not known). A parent whose Gateway
// or class does not exist is left without it.
func (r Resolver) Parents(ctx context.Context, b *v1alpha1.TarsBackend) ([]conditions.Parent, map[string]string, error) {
	labels, err := r.namespaceLabels(ctx, b.Namespace)
	if err != nil {
		return nil, nil, err
	}
	var parents []conditions.Parent
	for _, ref := range b.Spec.ParentRefs {
		parent := conditions.Parent{Ref: completeRef(ref, b.Namespace)}
		// With and without our own namespace a ref is the same to HTTPRoute,
		// and listed twice it would be refused there.
		if slices.ContainsFunc(parents, func(p conditions.Parent) bool { return reflect.DeepEqual(p.Ref, parent.Ref) }) {
			continue
		}
		if err := r.resolveParent(ctx, &parent); err != nil {
			return parents, labels, err
		}
		parents = append(parents, parent)
	}
	return parents, labels, nil
}

// namespaceLabels are those that listeners select namespaces by; nil where
// the namespace is not known.
func (r Resolver) namespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(kindNamespace)
	if err := r.Reader.Get(ctx, types.NamespacedName{Name: name}, ns); err != nil {
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
func (r Resolver) resolveParent(ctx context.Context, p *conditions.Parent) error {
	name := types.NamespacedName{Namespace: string(*p.Ref.Namespace), Name: string(p.Ref.Name)}
	gateway := &gatewayv1.Gateway{}
	if err := r.Reader.Get(ctx, name, gateway); err != nil {
		return attempt(client.IgnoreNotFound(err), "reading Gateway %s", name)
	}
	p.Gateway = gateway
	class := &gatewayv1.GatewayClass{}
	if err := r.Reader.Get(ctx, types.NamespacedName{Name: string(gateway.Spec.GatewayClassName)}, class); err != nil {
		return attempt(client.IgnoreNotFound(err), "reading GatewayClass %s", gateway.Spec.GatewayClassName)
	}
	p.ControllerName = class.Spec.ControllerName
	p.Controlled = slices.Contains(r.Settings.GatewayControllerNames, class.Spec.ControllerName)
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
