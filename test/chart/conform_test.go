// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/yannh/kubeconform/pkg/validator"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/yaml"
)

// monitoringCRDs are those of the Prometheus operator that the chart has
// objects of.
var monitoringCRDs = []string{"servicemonitors", "podmonitors", "prometheusrules"}

// valuesFiles are the installations that somebody may want; none is the default.
func valuesFiles() []string {
	GinkgoHelper()
	files, err := filepath.Glob("testdata/values/*.yaml")
	Expect(err).NotTo(HaveOccurred())
	Expect(files).NotTo(BeEmpty())
	return files
}

// conforms has kubeconform check objects against the schemas of an API server
// with the Prometheus operator's CRDs. An object without a schema is wrong too.
func (c *testCluster) conforms(ctx context.Context, list objects) []string {
	GinkgoHelper()
	v, err := validator.New([]string{c.schemaDir + "/{{ .Group }}.{{ .ResourceAPIVersion }}.{{ .ResourceKind }}.json"}, validator.Opts{
		Strict: true, KubernetesVersion: strings.TrimPrefix(kubeVersion, "v"),
	})
	Expect(err).NotTo(HaveOccurred())
	var wrong []string
	for _, object := range list {
		text, err := object.MarshalJSON()
		Expect(err).NotTo(HaveOccurred())
		for _, result := range v.ValidateWithContext(ctx, key(object), io.NopCloser(bytes.NewReader(text))) {
			if result.Status != validator.Valid {
				wrong = append(wrong, fmt.Sprintf("%s: %v", key(object), result.Err))
			}
		}
	}
	return wrong
}

// fetchSchemas writes a JSON schema for each kind that the API server publishes,
// and for the Prometheus operator's.
func (c *testCluster) fetchSchemas() {
	GinkgoHelper()
	c.schemaDir = GinkgoT().TempDir()
	client, err := discovery.NewDiscoveryClientForConfig(c.env.Config)
	Expect(err).NotTo(HaveOccurred())
	paths, err := client.OpenAPIV3().Paths()
	Expect(err).NotTo(HaveOccurred())
	written := 0
	for path, of := range paths {
		if !strings.HasPrefix(path, "api") || strings.Count(path, "/") == 0 {
			continue
		}
		text, err := of.Schema("application/json")
		Expect(err).NotTo(HaveOccurred())
		written += writeSchemas(c.schemaDir, text)
	}
	Expect(written).To(BeNumerically(">", 50))
	for _, plural := range monitoringCRDs {
		writeCRDSchemas(c.schemaDir, filepath.Join(monitoringModule(), "example/prometheus-operator-crd",
			"monitoring.coreos.com_"+plural+".yaml"))
	}
}

// monitoringModule is the folder of the Prometheus operator, whose CRDs are in
// no module of types.
func monitoringModule() string {
	GinkgoHelper()
	// No package of it is compiled, so it may not be there yet.
	out, err := exec.Command("go", "mod", "download", "-json", "github.com/prometheus-operator/prometheus-operator").Output()
	Expect(err).NotTo(HaveOccurred())
	module := struct{ Dir string }{}
	Expect(json.Unmarshal(out, &module)).To(Succeed())
	return module.Dir
}

// groupVersionKind is the extension by which a schema says whose it is.
const groupVersionKind = "x-kubernetes-group-version-kind"

func writeSchemas(dir string, text []byte) int {
	GinkgoHelper()
	document := struct {
		Components struct {
			Schemas map[string]map[string]any `json:"schemas"`
		} `json:"components"`
	}{}
	Expect(json.Unmarshal(text, &document)).To(Succeed())
	for _, component := range document.Components.Schemas {
		closed(component)
	}
	written := 0
	for name, component := range document.Components.Schemas {
		kinds, _ := component[groupVersionKind].([]any)
		// Those of several groups are meta's, such as DeleteOptions.
		if len(kinds) != 1 {
			continue
		}
		gvk, ok := kinds[0].(map[string]any)
		Expect(ok).To(BeTrue())
		out, err := json.Marshal(values{
			"$schema":    "http://json-schema.org/draft-07/schema#",
			"allOf":      []any{values{"$ref": "#/components/schemas/" + name}},
			"components": document.Components,
		})
		Expect(err).NotTo(HaveOccurred())
		writeSchema(dir, runtimeschema.GroupVersionKind{Group: gvk["group"].(string), Version: gvk["version"].(string), Kind: gvk["kind"].(string)}, out)
		written++
	}
	return written
}

// writeCRDSchemas writes the schema of each version of a file's CRD.
func writeCRDSchemas(dir, file string) {
	GinkgoHelper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	Expect(yaml.Unmarshal([]byte(read(file)), crd)).To(Succeed(), file)
	Expect(crd.Spec.Versions).NotTo(BeEmpty(), file)
	for _, version := range crd.Spec.Versions {
		text, err := json.Marshal(version.Schema.OpenAPIV3Schema)
		Expect(err).NotTo(HaveOccurred())
		node := map[string]any{}
		Expect(json.Unmarshal(text, &node)).To(Succeed())
		closed(node)
		text, err = json.Marshal(node)
		Expect(err).NotTo(HaveOccurred())
		writeSchema(dir, runtimeschema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}, text)
	}
}

// writeSchema writes a schema where kubeconform looks for it.
func writeSchema(dir string, of runtimeschema.GroupVersionKind, text []byte) {
	GinkgoHelper()
	group := of.Group
	if group == "" {
		group = of.Version // as kubeconform reads "v1"
	}
	file := strings.Join([]string{group, of.Version, strings.ToLower(of.Kind), "json"}, ".")
	Expect(os.WriteFile(filepath.Join(dir, file), text, 0o600)).To(Succeed())
}

// closed has every object with named fields refuse others.
func closed(node any) {
	switch n := node.(type) {
	case map[string]any:
		_, named := n["properties"].(map[string]any)
		if _, free := n["additionalProperties"]; named && !free && n["x-kubernetes-preserve-unknown-fields"] != true {
			n["additionalProperties"] = false
		}
		for _, child := range n {
			closed(child)
		}
	case []any:
		for _, child := range n {
			closed(child)
		}
	}
}
