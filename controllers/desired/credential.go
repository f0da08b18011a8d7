// SPDX-License-Identifier: Apache-2.0

package desired

import (
	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// CredentialSecret holds the header value that Envoy Gateway wants: its
// credential injection knows no prefix, so "Bearer " is part of it.
func CredentialSecret(b *v1alpha1.TarsBackend, key string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   typeMeta(corev1.SchemeGroupVersion, "Secret"),
		ObjectMeta: meta(b, CredentialSecretName(b)),
		Type:       corev1.SecretTypeOpaque,
		Data:       map[string][]byte{egv1a1.InjectedCredentialKey: []byte("Bearer " + key)},
	}
}

// CredentialFilter puts the key on requests. It is named by the backendRef, so
// that Envoy runs it on the way to TARS, after the external processor, and its
// coming and going changes no listener.
func CredentialFilter(b *v1alpha1.TarsBackend) *egv1a1.HTTPRouteFilter {
	return &egv1a1.HTTPRouteFilter{
		TypeMeta:   typeMeta(egv1a1.GroupVersion, "HTTPRouteFilter"),
		ObjectMeta: meta(b, CredentialSecretName(b)),
		Spec: egv1a1.HTTPRouteFilterSpec{
			CredentialInjection: &egv1a1.HTTPCredentialInjectionFilter{
				Header: new("Authorization"),
				// Without it a client's own Authorization would go to TARS.
				Overwrite: new(true),
				Credential: egv1a1.InjectedCredential{ValueRef: gatewayv1.SecretObjectReference{
					Group: new(gatewayv1.Group("")),
					Kind:  new(gatewayv1.Kind("Secret")),
					Name:  gatewayv1.ObjectName(CredentialSecretName(b)),
				}},
			},
		},
	}
}
