// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/yannh/kubeconform/pkg/validator"
	"k8s.io/client-go/discovery"
)

// monitoringKinds have no schema here: the modules of the Prometheus operator
// hold no CRD. Those objects are decoded strictly into its types.
var monitoringKinds = map[string]struct{}{"ServiceMonitor": {}, "PodMonitor": {}, "PrometheusRule": {}}

// valuesFiles are the installations that somebody may want; none is the default.
func valuesFiles() []string {
	GinkgoHelper()
	files, err := filepath.Glob("testdata/values/*.yaml")
	Expect(err).NotTo(HaveOccurred())
	Expect(files).NotTo(BeEmpty())
	return files
}

// conforms has kubeconform check objects against the schemas of an API server.
func (c *testCluster) conforms(ctx context.Context, list objects) []string {
	GinkgoHelper()
	v, err := validator.New([]string{c.schemaDir + "/{{ .Group }}.{{ .ResourceAPIVersion }}.{{ .ResourceKind }}.json"}, validator.Opts{
		Strict: true, SkipKinds: monitoringKinds, KubernetesVersion: strings.TrimPrefix(kubeVersion, "v"),
	})
	Expect(err).NotTo(HaveOccurred())
	var wrong []string
	for _, object := range list {
		text, err := object.MarshalJSON()
		Expect(err).NotTo(HaveOccurred())
		for _, result := range v.ValidateWithContext(ctx, key(object), io.NopCloser(bytes.NewReader(text))) {
			if result.Status != validator.Valid && result.Status != validator.Skipped {
				wrong = append(wrong, key(object)+": "+result.Err.Error())
			}
		}
	}
	return wrong
}

// fetchSchemas writes a JSON schema for each kind that the API server publishes.
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
	for _, schema := range document.Components.Schemas {
		closed(schema)
	}
	written := 0
	for name, schema := range document.Components.Schemas {
		kinds, _ := schema[groupVersionKind].([]any)
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
		group, version := gvk["group"].(string), gvk["version"].(string)
		if group == "" {
			group = version // as kubeconform reads "v1"
		}
		file := strings.Join([]string{group, version, strings.ToLower(gvk["kind"].(string)), "json"}, ".")
		Expect(os.WriteFile(filepath.Join(dir, file), out, 0o600)).To(Succeed())
		written++
	}
	return written
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
