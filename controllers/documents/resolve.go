// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// Resolution is what the references of a TarsBackend led to within the files.
type Resolution struct {
	// Seen holds the findings and the parents. A Gateway that the files do not
	// hold is nil in it; a class that they do not hold counts as Envoy Gateway's.
	Seen conditions.Observation
	// Served are the parentRefs that the HTTPRoute names.
	Served []gatewayv1.ParentReference
	// Assumed says in words what the files do not hold, and what is taken for
	// granted about it.
	Assumed []string
}

// Resolve looks up what a TarsBackend of the set names, as the manager does in
// a cluster. What the files do not hold is taken to be as it should be.
func (s *Set) Resolve(ctx context.Context, b *v1alpha1.TarsBackend, settings controllers.Settings) (Resolution, error) {
	values := &missing{Getter: s}
	resolver := controllers.Resolver{Reader: s, Values: values, TarsBackends: s.all, Settings: settings}
	r := Resolution{Seen: conditions.Observation{Backend: b, Resolved: true}}
	if f := resolver.Endpoint(b); f != nil {
		r.Seen.Refused = append(r.Seen.Refused, *f)
	}
	_, finding, err := resolver.Credential(ctx, b)
	if err != nil {
		return r, fmt.Errorf("resolving the credential: %w", err)
	}
	switch {
	case values.takeOne():
		r.Assumed = append(r.Assumed, fmt.Sprintf("Secret %s/%s is not in the files: taken to hold a key under %s",
			b.Namespace, b.Spec.Credential.SecretRef.Name, b.Spec.Credential.SecretRef.Key))
	case finding != nil:
		r.Seen.Unresolved = append(r.Seen.Unresolved, *finding)
	}
	findings, err := resolver.CA(ctx, b)
	if err != nil {
		return r, fmt.Errorf("resolving the certificate authorities: %w", err)
	}
	if values.takeOne() {
		r.Assumed = append(r.Assumed, "the ConfigMap of spec.endpoint.tls.validation.caCertificateRefs is not in the files: "+
			"taken to hold a certificate under ca.crt")
	} else {
		r.Seen.Unresolved = append(r.Seen.Unresolved, findings...)
	}
	if r.Seen.Parents, r.Seen.NamespaceLabels, err = resolver.Parents(ctx, b); err != nil {
		return r, fmt.Errorf("resolving the parents: %w", err)
	}
	r.assumeParents(settings)
	rival, err := resolver.Rival(ctx, r.Seen)
	if err != nil {
		return r, fmt.Errorf("looking for a TarsBackend in the same place: %w", err)
	}
	if rival != nil {
		r.Seen.Refused = append(r.Seen.Refused, *rival)
	}
	return r, nil
}

// assumeParents decides on the parents that the files tell too little about.
func (r *Resolution) assumeParents(settings controllers.Settings) {
	for i := range r.Seen.Parents {
		p := &r.Seen.Parents[i]
		name := fmt.Sprintf("%s/%s", *p.Ref.Namespace, p.Ref.Name)
		switch {
		case p.Gateway == nil:
			r.Assumed = append(r.Assumed, fmt.Sprintf("Gateway %s is not in the files: taken to be one of Envoy Gateway", name))
			r.Served = append(r.Served, p.Ref)
			continue
		case p.ControllerName == "":
			r.Assumed = append(r.Assumed, fmt.Sprintf("GatewayClass %s of Gateway %s is not in the files: taken to be Envoy Gateway's",
				p.Gateway.Spec.GatewayClassName, name))
			p.Controlled = true
			if len(settings.GatewayControllerNames) > 0 {
				p.ControllerName = settings.GatewayControllerNames[0]
			}
		}
		r.Served = append(r.Served, controllers.ServedParents([]conditions.Parent{*p})...)
	}
}

// all are the TarsBackends that a rival may be among.
func (s *Set) all(context.Context, *gatewayv1.Gateway) ([]v1alpha1.TarsBackend, error) {
	backends := make([]v1alpha1.TarsBackend, 0, len(s.TarsBackends))
	for _, b := range s.TarsBackends {
		backends = append(backends, *b)
	}
	return backends, nil
}

// missing remembers whether something was not there.
type missing struct {
	controllers.Getter
	any bool
}

// Get reads from the Getter below.
func (m *missing) Get(ctx context.Context, name client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	err := m.Getter.Get(ctx, name, into, opts...)
	m.any = m.any || apierrors.IsNotFound(err)
	return err
}

// takeOne says whether something was missing since the last time.
func (m *missing) takeOne() bool {
	was := m.any
	m.any = false
	return was
}
