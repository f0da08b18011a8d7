// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// caKey is the key of a CA's ConfigMap (Gateway API, caCertificateRefs).
const caKey = "ca.crt"

// maxKeyLength bounds a key: it has to fit into one header among others, and
// Envoy takes 60 KiB of them.
const maxKeyLength = 8192

// Credential reads the key, or finds out why there is none.
func (r Resolver) Credential(ctx context.Context, b *v1alpha1.TarsBackend) (key string, finding *conditions.Finding, err error) {
	ref := b.Spec.Credential.SecretRef
	name := types.NamespacedName{Namespace: b.Namespace, Name: ref.Name}
	secret := &corev1.Secret{}
	err = r.Values.Get(ctx, name, secret)
	switch {
	case apierrors.IsNotFound(err):
		return "", &conditions.Finding{
			Reason: v1alpha1.ReasonSecretNotFound,
			Message: fmt.Sprintf("Secret %s does not exist, so no key is sent and requests fail: create it with the TARS key under %s",
				name, ref.Key),
		}, nil
	case err != nil:
		return "", nil, attempt(err, "reading Secret %s", name)
	}
	key, finding = keyOf(secret, ref.Key)
	return key, finding, nil
}

// keyOf takes the key out of its Secret, without surrounding white space.
func keyOf(secret *corev1.Secret, dataKey string) (string, *conditions.Finding) {
	name := secret.Namespace + "/" + secret.Name
	if secret.Type != corev1.SecretTypeOpaque {
		return "", &conditions.Finding{
			Reason: v1alpha1.ReasonInvalidSecret,
			Message: fmt.Sprintf("Secret %s is of type %s: put the TARS key into a Secret of type %s",
				name, secret.Type, corev1.SecretTypeOpaque),
		}
	}
	value, ok := secret.Data[dataKey]
	if !ok {
		return "", &conditions.Finding{
			Reason: v1alpha1.ReasonSecretKeyNotFound,
			Message: fmt.Sprintf("Secret %s has no key %s: add it with the TARS key, or correct spec.credential.secretRef.key",
				name, dataKey),
		}
	}
	key := strings.TrimSpace(string(value))
	if key == v1alpha1.PlaceholderKey {
		return "", &conditions.Finding{
			Reason:  v1alpha1.ReasonPlaceholderKey,
			Message: fmt.Sprintf("Secret %s still holds the sample's placeholder under %s: replace it with your TARS key", name, dataKey),
		}
	}
	if problem := problemOfKey(key); problem != "" {
		return "", &conditions.Finding{
			Reason:  v1alpha1.ReasonInvalidSecret,
			Message: fmt.Sprintf("the value under %s of Secret %s %s", dataKey, name, problem),
		}
	}
	return key, nil
}

// problemOfKey says in words why a key cannot be sent as a bearer token (RFC
// 6750), and what to do; it never repeats any of it.
func problemOfKey(key string) string {
	switch {
	case key == "":
		return "is empty: put the TARS key there"
	case len(key) > maxKeyLength:
		return fmt.Sprintf("is longer than %d bytes, which no TARS key is: put the TARS key alone there", maxKeyLength)
	case len(key) >= len("Bearer ") && strings.EqualFold(key[:len("Bearer ")], "Bearer "):
		return `begins with "Bearer ": put the key alone there, the operator adds the word`
	case strings.ContainsAny(key, "\r\n"):
		return "has more than one line: put the TARS key alone there"
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return "holds a space, a control character or one outside ASCII, which no header takes: put the TARS key alone there"
		}
	}
	return ""
}

// CA judges the certificate authorities that Envoy is to trust, and returns them
// in PEM: empty where they are the system's.
func (r Resolver) CA(ctx context.Context, b *v1alpha1.TarsBackend) (bundle string, findings []conditions.Finding, err error) {
	for _, ref := range caRefs(b) {
		name := types.NamespacedName{Namespace: b.Namespace, Name: ref}
		ca := &corev1.ConfigMap{}
		err := r.Values.Get(ctx, name, ca)
		if err != nil && !apierrors.IsNotFound(err) {
			return "", findings, attempt(err, "reading ConfigMap %s", name)
		}
		bundle += ca.Data[caKey]
		if finding := problemOfCA(name, ca, err == nil); finding != nil {
			findings = append(findings, *finding)
		}
	}
	return bundle, findings, nil
}

func problemOfCA(name types.NamespacedName, ca *corev1.ConfigMap, found bool) *conditions.Finding {
	bundle, hasKey := ca.Data[caKey]
	switch {
	case !found:
		return &conditions.Finding{
			Reason: v1alpha1.ReasonCACertificateNotFound,
			Message: fmt.Sprintf("ConfigMap %s of spec.endpoint.tls.validation.caCertificateRefs does not exist: "+
				"create it with PEM certificates under %s", name, caKey),
		}
	case !hasKey:
		return &conditions.Finding{
			Reason:  v1alpha1.ReasonCACertificateNotFound,
			Message: fmt.Sprintf("ConfigMap %s has no key %s: add it with PEM certificates", name, caKey),
		}
	case !holdsCertificate([]byte(bundle)):
		return &conditions.Finding{
			Reason:  v1alpha1.ReasonInvalidCACertificate,
			Message: fmt.Sprintf("%s of ConfigMap %s holds no PEM certificate that can be parsed: put the CA's certificate there", caKey, name),
		}
	}
	return nil
}

// holdsCertificate says whether at least one certificate can be parsed.
func holdsCertificate(bundle []byte) bool {
	for {
		var block *pem.Block
		block, bundle = pem.Decode(bundle)
		if block == nil {
			return false
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			return true
		}
	}
}

// caRefs are the names of the ConfigMaps with certificate authorities.
func caRefs(b *v1alpha1.TarsBackend) []string {
	tls := b.Spec.Endpoint.TLS
	if tls == nil || tls.Validation == nil {
		return nil
	}
	var names []string
	for _, ref := range tls.Validation.CACertificateRefs {
		names = append(names, string(ref.Name))
	}
	return names
}
