// SPDX-License-Identifier: Apache-2.0

package goldens

import (
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"sigs.k8s.io/yaml"
)

var _ = Describe("The HTTPRoutes of the golden files", func() {
	// Envoy Gateway's chart installs the experimental channel; clusters that
	// install Gateway API themselves have the standard one.
	It("use only fields of Gateway API's standard channel", func() {
		schema := standardHTTPRoute()
		outputs, err := filepath.Glob(filepath.Join(testdata, "*.out.yaml"))
		Expect(err).NotTo(HaveOccurred())
		routes := 0
		for _, output := range outputs {
			for _, object := range documents(output) {
				if object.GetKind() == "HTTPRoute" {
					routes++
					Expect(unknownFields(object.Object, schema)).To(BeEmpty(), output)
				}
			}
		}
		Expect(routes).To(Equal(len(outputs)))
		odd := map[string]any{"spec": map[string]any{"nonsense": true}}
		Expect(unknownFields(odd, schema)).To(ConsistOf("spec.nonsense"))
	})
})

func unknownFields(object map[string]any, schema *structuralschema.Structural) []string {
	return pruning.PruneWithOptions(object, schema, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
}

func standardHTTPRoute() *structuralschema.Structural {
	GinkgoHelper()
	data, err := os.ReadFile(filepath.Join(moduleDir("sigs.k8s.io/gateway-api"),
		"config", "crd", "standard", "gateway.networking.k8s.io_httproutes.yaml"))
	Expect(err).NotTo(HaveOccurred())
	crd := &apiextensionsv1.CustomResourceDefinition{}
	Expect(yaml.Unmarshal(data, crd)).To(Succeed())
	for _, version := range crd.Spec.Versions {
		if version.Name != "v1" {
			continue
		}
		internal := &apiextensions.JSONSchemaProps{}
		Expect(apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
			version.Schema.OpenAPIV3Schema, internal, nil)).To(Succeed())
		schema, err := structuralschema.NewStructural(internal)
		Expect(err).NotTo(HaveOccurred())
		return schema
	}
	Fail("no version v1")
	return nil
}
