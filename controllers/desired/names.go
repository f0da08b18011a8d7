// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// maxName is the length of a DNS label: what a Service's name and a label's
// value may have at most.
const maxName = 63

// Suffixes of children's names.
const (
	suffixCredential = "-credential"
	suffixExtProc    = "-extproc"
)

// childName is the name of a child: the TarsBackend's name and a suffix, cut
// to a DNS label. A cut name ends in a hash of the whole one, so that two long
// names that begin alike stay different.
func childName(b *v1alpha1.TarsBackend, suffix string) string {
	return cut(b.Name, maxName-len(suffix)) + suffix
}

func cut(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	mark := "-" + hex.EncodeToString(sum[:4])
	return strings.TrimRight(name[:limit-len(mark)], "-.") + mark
}

// RouteName is the name of the HTTPRoute, the Backend and both policies.
func RouteName(b *v1alpha1.TarsBackend) string { return childName(b, "") }

// CredentialSecretName is the name of the Secret derived for Envoy Gateway.
func CredentialSecretName(b *v1alpha1.TarsBackend) string { return childName(b, suffixCredential) }

// ExtProcName is the name of the external processor's objects.
func ExtProcName(b *v1alpha1.TarsBackend) string { return childName(b, suffixExtProc) }

// configMapName is the name of the external processor's configuration. It
// holds the hash: a configuration never changes under a running pod.
func configMapName(b *v1alpha1.TarsBackend, hash string) string {
	return childName(b, suffixExtProc+"-"+hash)
}

// CanaryPath is the path of the operator's canary requests. Its token is
// unguessable for clients, because the object's UID is.
func CanaryPath(b *v1alpha1.TarsBackend) string {
	return servedPath(b) + "/.well-known/tarsbackend/" + token(b, "canary")
}

// passToken is the value that lets a request into the rule with the backend.
func passToken(b *v1alpha1.TarsBackend) string { return token(b, "pass") }

// token derives an unguessable value of 128 bits from the object's UID. It
// stays the same for the object's life and needs no place to be kept.
func token(b *v1alpha1.TarsBackend, purpose string) string {
	sum := sha256.Sum256([]byte(purpose + ":" + string(b.UID)))
	return hex.EncodeToString(sum[:16])
}

// servedPath is the path below which the APIs are served, without a trailing
// slash: <pathPrefix>/v1.
func servedPath(b *v1alpha1.TarsBackend) string {
	return strings.TrimSuffix(b.Spec.PathPrefix, "/") + "/v1"
}

// CredentialFingerprint identifies a key without revealing it.
func CredentialFingerprint(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:4])
}
