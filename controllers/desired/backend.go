// SPDX-License-Identifier: Apache-2.0

package desired

import (
	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// Backend is the TARS endpoint. TLS is always on: without TLS settings Envoy
// Gateway would speak plain HTTP to it and call that accepted.
func Backend(b *v1alpha1.TarsBackend) *egv1a1.Backend {
	endpoint := b.Spec.Endpoint
	tls := &egv1a1.BackendTLSSettings{
		SNI:                new(gatewayv1.PreciseHostname(endpoint.Hostname)),
		InsecureSkipVerify: new(false),
	}
	if refs := caCertificateRefs(b); len(refs) > 0 {
		tls.CACertificateRefs = refs
	} else {
		tls.WellKnownCACertificates = new(gatewayv1.WellKnownCACertificatesSystem)
	}
	return &egv1a1.Backend{
		TypeMeta:   typeMeta(egv1a1.GroupVersion, "Backend"),
		ObjectMeta: meta(b, RouteName(b)),
		Spec: egv1a1.BackendSpec{
			Type: new(egv1a1.BackendTypeEndpoints),
			Endpoints: []egv1a1.BackendEndpoint{{
				FQDN: &egv1a1.FQDNEndpoint{Hostname: endpoint.Hostname, Port: endpoint.Port},
			}},
			TLS: tls,
		},
	}
}

func caCertificateRefs(b *v1alpha1.TarsBackend) []gatewayv1.LocalObjectReference {
	if tls := b.Spec.Endpoint.TLS; tls != nil && tls.Validation != nil {
		return tls.Validation.CACertificateRefs
	}
	return nil
}
