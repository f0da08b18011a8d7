// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/documents"
)

// rulesNotChecked is what the API server adds when a schema error kept it from
// the rules.
const rulesNotChecked = "some validation rules were not checked"

const namespace = "default"

// minimal is the smallest spec that the README shows.
const minimal = `
parentRefs: [{name: gateway}]
credential: {secretRef: {name: tars-api-key}}
`

// tarsBackend is the minimal object with the top-level fields of spec
// replaced by those of the given YAML; null removes one.
func tarsBackend(name, spec string) *unstructured.Unstructured {
	GinkgoHelper()
	fields := parse(minimal)
	for key, value := range parse(spec) {
		if value == nil {
			delete(fields, key)
			continue
		}
		fields[key] = value
	}
	u := &unstructured.Unstructured{Object: map[string]any{"spec": fields}}
	u.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("TarsBackend"))
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

func parse(text string) map[string]any {
	GinkgoHelper()
	fields := map[string]any{}
	Expect(yaml.UnmarshalStrict([]byte(text), &fields)).To(Succeed(), "the case's YAML is wrong: %s", text)
	return fields
}

// admit asks the API server about an object without storing it. What render
// and check say of a TarsBackend without a cluster has to be the same.
func admit(ctx context.Context, u *unstructured.Unstructured) error {
	GinkgoHelper()
	content, err := u.MarshalJSON()
	Expect(err).NotTo(HaveOccurred())
	verdict := api.Create(ctx, u, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
	if u.GetKind() == "TarsBackend" {
		expectSameOffline(ctx, content, verdict)
	}
	return verdict
}

// expectSameOffline checks that an object is taken or refused without a
// cluster as by the API server, in the same words.
func expectSameOffline(ctx context.Context, content []byte, verdict error) {
	GinkgoHelper()
	_, offline := documents.Reader{Stdin: bytes.NewReader(content)}.Read(ctx, []string{documents.Stdin})
	if verdict == nil {
		Expect(offline).NotTo(HaveOccurred(), "the API server takes the object")
		return
	}
	Expect(offline).To(HaveOccurred(), "the API server refuses the object: %v", verdict)
	if !apierrors.IsInvalid(verdict) {
		return
	}
	for _, cause := range causes(verdict) {
		if cause.Field != rootField && !strings.Contains(cause.Message, rulesNotChecked) {
			Expect(offline).To(MatchError(ContainSubstring(cause.Field + ": " + cause.Message)))
		}
	}
}

// stored creates an object that lives for one spec.
func stored(ctx context.Context, spec string) *unstructured.Unstructured {
	GinkgoHelper()
	u := tarsBackend("", spec)
	u.SetGenerateName("stored-")
	Expect(api.Create(ctx, u)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(api.Delete(ctx, u))).To(Succeed())
	})
	return u
}

// setStatus asks the API server about a status without storing it.
func setStatus(ctx context.Context, status string) error {
	GinkgoHelper()
	u := stored(ctx, "")
	fields := maps.Clone(u.Object)
	fields["status"] = parse(status)
	u = &unstructured.Unstructured{Object: fields}
	return api.Status().Update(ctx, u, client.DryRunAll)
}

// causes returns what an Invalid error complains about.
func causes(err error) []metav1.StatusCause {
	GinkgoHelper()
	Expect(err).To(HaveOccurred(), "the API server took the object")
	Expect(apierrors.IsInvalid(err)).To(BeTrue(), "refused for another reason: %v", err)
	var status apierrors.APIStatus
	Expect(errors.As(err, &status)).To(BeTrue())
	Expect(status.Status().Details).NotTo(BeNil())
	return status.Status().Details.Causes
}

// listOf renders n numbered items as a YAML list; each %d in an item is its
// number.
func listOf(n int, item string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = strings.ReplaceAll(item, "%d", fmt.Sprint(i))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// mapOf renders n numbered entries as a YAML map.
func mapOf(n int, key, value string) string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = strings.ReplaceAll(key, "%d", fmt.Sprint(i)) + ": " + value
	}
	return "{" + strings.Join(entries, ", ") + "}"
}

// text is a word of n letters.
func text(n int) string { return strings.Repeat("a", n) }

// longHost is a DNS name of n characters, at least 64, in labels of at most
// 63.
func longHost(n int) string {
	var labels []string
	for n > 63 {
		labels = append(labels, text(31))
		n -= 32
	}
	return strings.Join(append(labels, text(n)), ".")
}
