// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

var _ = DescribeTable("EndpointAllowed",
	func(entry, host string, allowed bool) {
		Expect(EndpointAllowed([]string{"other.example.com", entry}, host)).To(Equal(allowed))
	},
	Entry("an exact name", "tars.example.com", "tars.example.com", true),
	Entry("an exact name in other case and with a dot", "TARS.example.com.", "tars.Example.com", true),
	Entry("not a subdomain of an exact name", "example.com", "a.example.com", false),
	Entry("not a name that ends alike", "example.com", "badexample.com", false),
	Entry("a subdomain", "*.tetrate.ai", "api.tetrate.ai", true),
	Entry("a subdomain of any depth", "*.tetrate.ai", "api.router.tetrate.ai", true),
	Entry("not the domain itself", "*.tetrate.ai", "tetrate.ai", false),
	Entry("not a domain that ends alike", "*.tetrate.ai", "eviltetrate.ai", false),
	Entry("not a domain that begins alike", "*.tetrate.ai", "api.tetrate.ai.example.com", false),
	Entry("not an empty label", "*.tetrate.ai", ".tetrate.ai", false),
)

var _ = It("EndpointAllowed allows nothing without entries", func() {
	Expect(EndpointAllowed(nil, "api.router.tetrate.ai")).To(BeFalse())
	Expect(EndpointAllowed([]string{}, "")).To(BeFalse())
})

var _ = DescribeTable("keyOf",
	func(value, key, reason string) {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s"}, Type: corev1.SecretTypeOpaque,
			Data: map[string][]byte{"apiKey": []byte(value)},
		}
		got, finding := keyOf(secret, "apiKey")
		Expect(got).To(Equal(key))
		if reason == "" {
			Expect(finding).To(BeNil())
			return
		}
		Expect(finding.Reason).To(Equal(reason))
		for word := range strings.FieldsSeq(value) {
			if len(word) > 8 && word != v1alpha1.PlaceholderKey {
				Expect(finding.Message).NotTo(ContainSubstring(word), "a message repeats nothing of a key")
			}
		}
	},
	Entry("a key", "sk-abc", "sk-abc", ""),
	Entry("white space around it", " \tsk-abc\r\n", "sk-abc", ""),
	Entry("every visible character", "!#$%&'*+-.^_`|~:;=@/\\", "!#$%&'*+-.^_`|~:;=@/\\", ""),
	Entry("nothing", "", "", v1alpha1.ReasonInvalidSecret),
	Entry("the placeholder", v1alpha1.PlaceholderKey+"\n", "", v1alpha1.ReasonPlaceholderKey),
	Entry("the word Bearer", "bearer sk-secret-secret", "", v1alpha1.ReasonInvalidSecret),
	Entry("two lines", "sk-secret-1\nsk-secret-2", "", v1alpha1.ReasonInvalidSecret),
	Entry("a space", "sk-secret-1 sk-secret-2", "", v1alpha1.ReasonInvalidSecret),
	Entry("a NUL", "sk-secret\x00-secret", "", v1alpha1.ReasonInvalidSecret),
	Entry("a DEL", "sk-secret\x7f-secret", "", v1alpha1.ReasonInvalidSecret),
	Entry("a letter outside ASCII", "sk-secrét-secret", "", v1alpha1.ReasonInvalidSecret),
	Entry("the longest", strings.Repeat("k", maxKeyLength), strings.Repeat("k", maxKeyLength), ""),
	Entry("one byte more", strings.Repeat("k", maxKeyLength+1), "", v1alpha1.ReasonInvalidSecret),
)

// crdWith is an EnvoyExtensionPolicy CRD of which the version is named and
// served as given.
func crdWith(version string, served bool, properties map[string]apiextensionsv1.JSONSchemaProps) *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{Spec: apiextensionsv1.CustomResourceDefinitionSpec{
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
			Name: version, Served: served,
			Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
				Properties: map[string]apiextensionsv1.JSONSchemaProps{"spec": {Properties: properties}},
			}},
		}},
	}}
}

var _ = Describe("lackingFields", func() {
	extProc := apiextensionsv1.JSONSchemaProps{Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{
		Properties: map[string]apiextensionsv1.JSONSchemaProps{"statusOnError": {}},
	}}}
	full := map[string]apiextensionsv1.JSONSchemaProps{"mergeType": {}, "extProc": extProc}

	It("is satisfied with all of them", func() {
		Expect(lackingFields(crdWith("v1alpha1", true, full))).To(BeEmpty())
	})
	It("names what is missing", func() {
		Expect(lackingFields(crdWith("v1alpha1", true, nil))).To(Equal([]string{"spec.mergeType", "spec.extProc[].statusOnError"}))
	})
	It("wants the version served", func() {
		Expect(lackingFields(crdWith("v1alpha1", false, full))).To(Equal([]string{"version v1alpha1"}))
		Expect(lackingFields(crdWith("v1beta1", true, full))).To(Equal([]string{"version v1alpha1"}))
	})
})

var _ = Describe("describe", func() {
	resource := schema.GroupResource{Resource: "services"}

	It("says what was tried and what the API server said", func() {
		err := attempt(apierrors.NewForbidden(resource, "x", errors.New("no")), "applying Service %s", "ns/x")
		Expect(describe(err)).To(Equal(`applying Service ns/x: services "x" is forbidden: no`))
	})
	It("keeps the API server's words about a Secret out", func() {
		err := attemptWithSecret(apierrors.NewBadRequest("value sk-secret is bad"), "applying Secret ns/x")
		Expect(describe(err)).To(Equal("applying Secret ns/x: BadRequest"))
		Expect(err.Error()).NotTo(ContainSubstring("sk-secret"))
	})
	It("keeps what changes from try to try out", func() {
		Expect(describe(attempt(errors.New("dial tcp 10.0.0.1:41234: refused"), "listing Pods"))).NotTo(ContainSubstring("41234"))
		conflict := apierrors.NewConflict(resource, "x", errors.New("UID abc"))
		Expect(describe(attempt(conflict, "writing the status"))).To(Equal("writing the status: Conflict"))
	})
	It("is empty without an error", func() {
		Expect(describe(nil)).To(BeEmpty())
		Expect(attempt(nil, "x")).To(Succeed())
	})
})

var _ = Describe("touched", func() {
	route := func(change func(*metav1.PartialObjectMetadata)) *metav1.PartialObjectMetadata {
		o := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			UID: "a", Generation: 2, ResourceVersion: "5", Labels: map[string]string{"l": "1"},
			Annotations: map[string]string{"a": "1"}, OwnerReferences: []metav1.OwnerReference{{UID: "o", Kind: "K", Name: "n"}},
		}}
		change(o)
		return o
	}
	asLeft := route(func(*metav1.PartialObjectMetadata) {})

	DescribeTable("tells an object that is as we left it from one that is not",
		func(change func(*metav1.PartialObjectMetadata), want bool) {
			Expect(touched(asLeft, route(change))).To(Equal(want))
		},
		Entry("nothing", func(*metav1.PartialObjectMetadata) {}, false),
		Entry("its status", func(o *metav1.PartialObjectMetadata) { o.ResourceVersion = "6" }, false),
		Entry("another's label", func(o *metav1.PartialObjectMetadata) { o.Labels["x"] = "y" }, false),
		Entry("its spec", func(o *metav1.PartialObjectMetadata) { o.Generation = 3 }, true),
		Entry("another object of the name", func(o *metav1.PartialObjectMetadata) { o.UID = types.UID("b") }, true),
		Entry("our label", func(o *metav1.PartialObjectMetadata) { o.Labels["l"] = "2" }, true),
		Entry("our annotation gone", func(o *metav1.PartialObjectMetadata) { o.Annotations = nil }, true),
		Entry("its owner", func(o *metav1.PartialObjectMetadata) { o.OwnerReferences = nil }, true),
	)
	It("goes by the resourceVersion where there is no generation", func() {
		a := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "1"}}
		b := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "2"}}
		Expect(touched(a, a)).To(BeFalse())
		Expect(touched(a, b)).To(BeTrue())
	})
})

var _ = It("keeps kubectl's copy of a Secret out of the cache", func() {
	out, err := onlyNamed(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "s", Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "sk-secret"},
	}})
	Expect(err).NotTo(HaveOccurred())
	Expect(out.(*metav1.PartialObjectMetadata).Annotations).To(BeEmpty())
	Expect(out.(*metav1.PartialObjectMetadata).Name).To(Equal("s"))
})
