// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"
)

// schema is one node of values.schema.json.
type schema struct {
	Ref         string             `json:"$ref"`
	AllOf       []*schema          `json:"allOf"`
	Description string             `json:"description"`
	Type        any                `json:"type"`
	Properties  map[string]*schema `json:"properties"`
	// AdditionalProperties is false, or the schema of every value of a map.
	AdditionalProperties json.RawMessage    `json:"additionalProperties"`
	Items                *schema            `json:"items"`
	Definitions          map[string]*schema `json:"definitions"`
}

// readSchema reads values.schema.json.
func readSchema() *schema {
	text, err := os.ReadFile(chartDir + "/values.schema.json")
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	out := &schema{}
	ExpectWithOffset(1, json.Unmarshal(text, out)).To(Succeed())
	return out
}

// resolve follows a reference to the definitions.
func (s *schema) resolve(root *schema) *schema {
	for s != nil && (s.Ref != "" || len(s.AllOf) == 1) {
		if len(s.AllOf) == 1 {
			s = s.AllOf[0]
			continue
		}
		s = root.Definitions[strings.TrimPrefix(s.Ref, "#/definitions/")]
	}
	return s
}

// isStruct tells objects with named fields from maps with free keys.
func (s *schema) isStruct() bool { return s.Properties != nil }

// isGroup tells the chart's own groups of values from a single value: those of
// Kubernetes' types are references, and one value each.
func (s *schema) isGroup() bool { return s.Properties != nil && s.Ref == "" && len(s.AllOf) == 0 }

// leaves returns the chart's values by path, without those of umbrella charts.
func (s *schema) leaves() map[string]*schema {
	out := map[string]*schema{}
	var walk func(prefix string, node *schema)
	walk = func(prefix string, node *schema) {
		for name, child := range node.Properties {
			path := strings.TrimPrefix(prefix+"."+name, ".")
			switch {
			case path == "global":
			case child.isGroup():
				walk(path, child)
			default:
				out[path] = child
			}
		}
	}
	walk("", s)
	return out
}

// groups returns the paths of the chart's groups of values.
func (s *schema) groups() []string {
	out := map[string]bool{}
	for path := range s.leaves() {
		for i := strings.LastIndex(path, "."); i > 0; i = strings.LastIndex(path, ".") {
			path = path[:i]
			out[path] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// chartMetadata is Chart.yaml.
func chartMetadata() *chart.Metadata {
	out, err := chartutil.LoadChartfile(chartDir + "/Chart.yaml")
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return out
}

// defaultValues are those of values.yaml.
func defaultValues() values { return readValues(chartDir + "/values.yaml") }

// fullValues are all values, each other than its default.
func fullValues() values { return readValues("testdata/full-values.yaml") }

func readValues(path string) values {
	text, err := os.ReadFile(path)
	ExpectWithOffset(2, err).NotTo(HaveOccurred())
	out := values{}
	ExpectWithOffset(2, yaml.UnmarshalStrict(text, &out)).To(Succeed())
	return out
}

// at returns what stands at a path.
func at(v values, path string) (any, bool) {
	var node any = v
	for name := range strings.SplitSeq(path, ".") {
		group, ok := node.(map[string]any)
		if !ok {
			return nil, false
		}
		if node, ok = group[name]; !ok {
			return nil, false
		}
	}
	return node, true
}

// only are values that set one path.
func only(path string, value any) values {
	names := strings.Split(path, ".")
	for _, name := range slices.Backward(names) {
		value = values{name: value}
	}
	out, ok := value.(values)
	ExpectWithOffset(1, ok).To(BeTrue())
	return out
}

// typo is a key that stands misspelt in otherwise good values.
type typo struct {
	path   string
	values values
}

// typos misspells each key of values that names a field, one at a time. Keys of
// free maps, such as labels, are the user's.
func typos(good values, root *schema) []typo {
	var out []typo
	var walk func(path string, node any, s *schema, rebuild func(any) values)
	walk = func(path string, node any, s *schema, rebuild func(any) values) {
		s = s.resolve(root)
		switch n := node.(type) {
		case map[string]any:
			if !s.isStruct() {
				return
			}
			for _, name := range slices.Sorted(maps.Keys(n)) {
				with := func(key string, child any) values {
					changed := maps.Clone(n)
					delete(changed, name)
					changed[key] = child
					return rebuild(changed)
				}
				here := path + "/" + name
				out = append(out, typo{path: here, values: with(name+"x", n[name])})
				walk(here, n[name], s.Properties[name], func(child any) values { return with(name, child) })
			}
		case []any:
			for i, item := range n {
				walk(fmt.Sprintf("%s/%d", path, i), item, s.Items, func(child any) values {
					changed := slices.Clone(n)
					changed[i] = child
					return rebuild(changed)
				})
			}
		}
	}
	walk("", good, root, func(node any) values {
		whole, ok := node.(map[string]any)
		ExpectWithOffset(2, ok).To(BeTrue())
		return whole
	})
	return out
}
