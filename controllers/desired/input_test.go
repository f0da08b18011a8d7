// SPDX-License-Identifier: Apache-2.0

package desired_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// resolved is the second document of an input: what the controller found out.
// Everything may be left out.
type resolved struct {
	// Parents are those of the spec when left out.
	Parents                []gatewayv1.ParentReference `json:"parents,omitempty"`
	Key                    string                      `json:"key,omitempty"`
	RouteHash              string                      `json:"routeHash,omitempty"`
	ExtProcImage           string                      `json:"extProcImage,omitempty"`
	ExtProcImagePullPolicy corev1.PullPolicy           `json:"extProcImagePullPolicy,omitempty"`
}

var documentSeparator = regexp.MustCompile(`(?m)^---$\n?`)

// readInput reads testdata/<name>.in.yaml: a TarsBackend, which gets the
// defaults of its CRD, and what was resolved.
func readInput(name string) desired.Input {
	GinkgoHelper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".in.yaml"))
	Expect(err).NotTo(HaveOccurred())
	documents := documentSeparator.Split(string(data), -1)
	Expect(len(documents)).To(BeNumerically("<=", 2), "a TarsBackend and what was resolved")

	backend := &v1alpha1.TarsBackend{}
	Expect(yaml.UnmarshalStrict([]byte(documents[0]), backend)).To(Succeed())
	found := resolved{}
	if len(documents) == 2 {
		Expect(yaml.UnmarshalStrict([]byte(documents[1]), &found)).To(Succeed())
	}
	return complete(backend, found)
}

func complete(backend *v1alpha1.TarsBackend, found resolved) desired.Input {
	GinkgoHelper()
	in := desired.Input{
		Backend:                withDefaults(backend),
		Parents:                found.Parents,
		Key:                    "sk-not-a-real-key",
		RouteHash:              found.RouteHash,
		ExtProcImage:           "registry.example.com/tars-operator:v0.0.0",
		ExtProcImagePullPolicy: found.ExtProcImagePullPolicy,
	}
	if in.Parents == nil {
		in.Parents = backend.Spec.ParentRefs
	}
	if found.Key != "" {
		in.Key = found.Key
	}
	if found.ExtProcImage != "" {
		in.ExtProcImage = found.ExtProcImage
	}
	return in
}

// withDefaults fills in what the API server would.
func withDefaults(backend *v1alpha1.TarsBackend) *v1alpha1.TarsBackend {
	GinkgoHelper()
	data, err := json.Marshal(backend)
	Expect(err).NotTo(HaveOccurred())
	fields := map[string]any{}
	Expect(json.Unmarshal(data, &fields)).To(Succeed())
	defaulting.Default(fields, crdSchema())
	data, err = json.Marshal(fields)
	Expect(err).NotTo(HaveOccurred())
	filled := &v1alpha1.TarsBackend{}
	Expect(json.Unmarshal(data, filled)).To(Succeed())
	return filled
}

// crdSchema is the schema of the TarsBackend in config/crd/bases, read once.
var crdSchema = sync.OnceValue(func() *structuralschema.Structural {
	GinkgoHelper()
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "crd", "bases", "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	Expect(files).To(HaveLen(1))
	data, err := os.ReadFile(files[0])
	Expect(err).NotTo(HaveOccurred())
	crd := &apiextensionsv1.CustomResourceDefinition{}
	Expect(yaml.UnmarshalStrict(data, crd)).To(Succeed())
	internal := &apiextensions.JSONSchemaProps{}
	Expect(apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
		crd.Spec.Versions[0].Schema.OpenAPIV3Schema, internal, nil)).To(Succeed())
	schema, err := structuralschema.NewStructural(internal)
	Expect(err).NotTo(HaveOccurred())
	return schema
})
