// SPDX-License-Identifier: Apache-2.0

// Package desired turns a TarsBackend and its resolved references into the
// objects that should exist. It is pure: no client, no clock, no randomness,
// no context; the same input always gives the same objects, byte for byte.
package desired

import (
	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// Input is all that the builders know.
type Input struct {
	// Backend is the object, with namespace, name and UID.
	Backend *v1alpha1.TarsBackend
	// Parents are the parentRefs that belong to Envoy Gateway, in the order
	// of the spec.
	Parents []gatewayv1.ParentReference
	// Key is the raw TARS key, trimmed of surrounding white space.
	Key string
	// RouteHash is what the HTTPRoute announces on every answer. It stays at
	// its old value (empty at first) until Envoy Gateway has accepted every
	// other child at its generation; then it becomes Objects.RouteHash.
	RouteHash string
	// ExtensionPolicy is the EnvoyExtensionPolicy that exists, nil where there is
	// none: some of it stays for its life.
	ExtensionPolicy *egv1a1.EnvoyExtensionPolicy
	// ExtProcImage is the image of the external processor.
	ExtProcImage string
	// ExtProcImagePullPolicy is its pull policy; empty: Kubernetes' default.
	ExtProcImagePullPolicy corev1.PullPolicy
	// ExtProcImagePullSecrets are the names of the Secrets that pull it where
	// the TarsBackend names none.
	ExtProcImagePullSecrets []string
}

// Objects are the children of one TarsBackend.
type Objects struct {
	// Ordered are all children in the order in which they are applied: what
	// others name comes first, the HTTPRoute last.
	Ordered []client.Object
	// ConfigHash is that of the external processor's configuration.
	ConfigHash string
	// RouteHash covers every child that Envoy Gateway translates, apart from
	// the annotation that carries it and the credential's value.
	RouteHash string
	// CanaryPath is the path that the operator probes.
	CanaryPath string
	// PassToken signs the operator's tickets to TARS.
	PassToken string
}
