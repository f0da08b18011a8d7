// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

var _ = Describe("values.schema.json", func() {
	It("knows exactly the values of values.yaml", func() {
		root := readSchema()
		leaves := root.leaves()
		for path := range leaves {
			_, ok := at(defaultValues(), path)
			Expect(ok).To(BeTrue(), "%s has no default", path)
		}
		// The other way round: the defaults are values that the schema takes.
		Expect(typos(defaultValues(), root)).NotTo(BeEmpty())
		_, err := installation{}.template()
		Expect(err).NotTo(HaveOccurred())
	})

	It("refuses unknown keys and describes itself everywhere", func() {
		root := readSchema()
		Expect(string(root.AdditionalProperties)).To(Equal("false"))
		var walk func(path string, s *schema)
		walk = func(path string, s *schema) {
			if s.isStruct() {
				Expect(string(s.AdditionalProperties)).To(Equal("false"), path)
				for name, child := range s.Properties {
					walk(path+"/"+name, child)
				}
				return
			}
			if s.Items != nil {
				walk(path+"/items", s.Items)
			}
			if s.Type == "object" && path != "/global" {
				Expect(string(s.AdditionalProperties)).To(HavePrefix("{"), path)
			}
		}
		walk("", root)
		for name, definition := range root.Definitions {
			walk("definitions/"+name, definition)
			Expect(definition.Description).NotTo(BeEmpty(), name)
		}
		for path, leaf := range root.leaves() {
			Expect(leaf.Description).NotTo(BeEmpty(), path)
		}
	})

	It("knows Kubernetes' own types as Kubernetes does", func() {
		root := readSchema()
		for path, example := range map[string]any{
			"manager.affinity": corev1.Affinity{}, "manager.resources": corev1.ResourceRequirements{},
			"manager.tolerations": []corev1.Toleration{}, "manager.env": []corev1.EnvVar{},
			"manager.imagePullSecrets":          []corev1.LocalObjectReference{},
			"manager.topologySpreadConstraints": []corev1.TopologySpreadConstraint{},
		} {
			expectSame(path, root.leaves()[path].resolve(root), reflect.TypeOf(example), root)
		}
	})

	Describe("refuses a misspelt key", func() {
		good := func() values {
			v := fullValues()
			// ServiceMonitors need metrics.
			v["metrics"].(map[string]any)["enabled"] = true
			// And several managers a leader.
			v["leaderElection"].(map[string]any)["enabled"] = true
			return v
		}
		It("accepts them all spelt right", func() {
			_, err := installation{values: good()}.template()
			Expect(err).NotTo(HaveOccurred())
		})
		It("wherever it is", func() {
			cases := typos(good(), readSchema())
			Expect(len(cases)).To(BeNumerically(">", 120))
			for _, c := range cases {
				_, err := installation{values: c.values}.template()
				name := c.path[strings.LastIndex(c.path, "/")+1:]
				Expect(err).To(MatchError(ContainSubstring("additional properties '%sx' not allowed", name)), c.path)
			}
		})
	})

	It("refuses a value of another type", func() {
		for path, leaf := range readSchema().leaves() {
			wrong := []any{values{"a": values{"b": 1}}, []any{1}, 1.5, true, "text"}
			if leaf.Type == "boolean" {
				wrong = slices.DeleteFunc(wrong, func(v any) bool { return v == true })
			}
			if leaf.Type == "string" {
				wrong = slices.DeleteFunc(wrong, func(v any) bool { return v == "text" })
			}
			for _, value := range wrong {
				_, err := installation{values: only(path, value)}.template()
				Expect(err).To(MatchError(ContainSubstring("at '/"+strings.ReplaceAll(path, ".", "/"))), "%s: %v", path, value)
			}
		}
	})

	It("refuses one value in place of a group", func() {
		for _, path := range readSchema().groups() {
			_, err := installation{values: only(path, "text")}.template()
			Expect(err).To(MatchError(ContainSubstring("at '/"+strings.ReplaceAll(path, ".", "/")+"': got string, want object")), path)
		}
	})

	DescribeTable("refuses",
		func(path string, value any) {
			_, err := installation{values: only(path, value)}.template()
			Expect(err).To(MatchError(ContainSubstring("at '/" + strings.ReplaceAll(path, ".", "/"))))
		},
		func(path string, value any) string { return fmt.Sprintf("%s: %v", path, value) },
		Entry(nil, "manager.replicas", -1),
		Entry(nil, "manager.image.pullPolicy", "Sometimes"),
		Entry(nil, "manager.image.pullPolicy", ""),
		Entry(nil, "extProc.image.pullPolicy", "Sometimes"),
		Entry(nil, "manager.image.registry", "https://registry.example.com"),
		Entry(nil, "manager.image.registry", "registry.example.com/"),
		Entry(nil, "extProc.image.registry", "https://registry.example.com"),
		Entry(nil, "manager.image.repository", ""),
		Entry(nil, "manager.image.repository", "team/tars:dev"),
		Entry(nil, "manager.image.repository", "/team/tars"),
		Entry(nil, "manager.image.repository", "Team/tars"),
		Entry(nil, "extProc.image.repository", "team/tars@sha256"),
		Entry(nil, "manager.image.tag", "a b"),
		Entry(nil, "manager.image.tag", ":dev"),
		Entry(nil, "extProc.image.tag", "a b"),
		Entry(nil, "manager.image.digest", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
		Entry(nil, "manager.image.digest", "sha256:0123"),
		Entry(nil, "extProc.image.digest", "sha256:0123"),
		Entry(nil, "manager.args", []any{""}),
		Entry(nil, "manager.resources", values{"limits": values{"memory": "lots"}}),
		Entry(nil, "manager.nodeSelector", values{"a": true}),
		Entry(nil, "endpoints.allowed", []any{"*"}),
		Entry(nil, "endpoints.allowed", []any{"a.*.example.com"}),
		Entry(nil, "endpoints.allowed", []any{"https://api.example.com"}),
		Entry(nil, "endpoints.allowed", []any{"a.example.com,b.example.com"}),
		Entry(nil, "endpoints.allowed", []any{"A.example.com"}),
		Entry(nil, "endpoints.allowed", []any{""}),
		Entry(nil, "endpoints.allowed", []any{"a.example.com", "a.example.com"}),
		Entry(nil, "gatewayControllerNames", []any{}),
		Entry(nil, "gatewayControllerNames", []any{"gateway.example.com"}),
		Entry(nil, "gatewayControllerNames", []any{"a.example.com/b,c.example.com/d"}),
		Entry(nil, "gatewayControllerNames", []any{"a.example.com/b", "a.example.com/b"}),
		Entry(nil, "global", "text"),
		Entry(nil, "prometheus.labels", values{"a": true}),
		Entry(nil, "grafana.dashboard.labels", values{"a": 1}),
		Entry(nil, "prometheus.rules.runbookURL", "runbook.md"),
		Entry(nil, "prometheus.rules.runbookURL", "https://wiki.example.com/tars#tars"),
		Entry(nil, "watchNamespaces", []any{"team-a", "team-a"}),
		Entry(nil, "watchNamespaces", []any{"team-a,team-b"}),
		Entry(nil, "watchNamespaces", []any{"*"}),
		Entry(nil, "commonLabels", values{"a": true}),
		Entry(nil, "commonAnnotations", values{"a": 1}),
		Entry(nil, "log.level", "verbose"),
		Entry(nil, "log.format", "text"),
		Entry(nil, "manager.podDisruptionBudget.maxUnavailable", 0),
		Entry(nil, "manager.podDisruptionBudget.maxUnavailable", "0%"),
		Entry(nil, "manager.podDisruptionBudget.maxUnavailable", "101%"),
		Entry(nil, "extProc.imagePullSecrets", []any{"registry-key"}),
		Entry(nil, "extProc.imagePullSecrets", []any{values{}}),
		Entry(nil, "extProc.imagePullSecrets", []any{values{"name": "a,b"}}),
		Entry(nil, "metrics.port", 443),
		Entry(nil, "metrics.port", 8081),
		Entry(nil, "metrics.port", 65536),
		Entry(nil, "fullnameOverride", "a2345678901234567890123456789"),
		Entry(nil, "fullnameOverride", "Tars"),
		Entry(nil, "fullnameOverride", "tars-"),
		Entry(nil, "serviceAccount.name", "a/b"),
		Entry(nil, "serviceAccount.name", strings.Repeat("a", 254)),
	)

	DescribeTable("takes",
		func(path string, value any) {
			_, err := installation{values: only(path, value)}.template()
			Expect(err).NotTo(HaveOccurred())
		},
		func(path string, value any) string { return fmt.Sprintf("%s: %v", path, value) },
		Entry(nil, "manager.replicas", 0),
		Entry(nil, "manager.image.registry", ""),
		Entry(nil, "manager.image.registry", "localhost:5000"),
		Entry(nil, "manager.image.registry", "mirror.example.com/proxy"),
		Entry(nil, "manager.image.repository", "tars"),
		Entry(nil, "endpoints.allowed", []any{}),
		Entry(nil, "endpoints.allowed", []any{"localhost", "*.eu.example.com"}),
		Entry(nil, "metrics.port", 1024),
		Entry(nil, "metrics.port", 65535),
		Entry(nil, "fullnameOverride", "a234567890123456789012345678"),
		Entry(nil, "manager.resources", nil),
		Entry(nil, "serviceAccount.name", strings.Repeat("a", 253)),
		Entry(nil, "global", values{"imageRegistry": "registry.example.com"}),
	)

	DescribeTable("what only templates can see is refused with its remedy",
		func(v values, message string) {
			_, err := installation{values: v}.template()
			Expect(err).To(MatchError(ContainSubstring(message)))
		},
		Entry("a ServiceMonitor without metrics",
			values{"prometheus": values{"enabled": true}, "metrics": values{"enabled": false}}, "enable both or none"),
		Entry("no ServiceAccount at all",
			values{"serviceAccount": values{"enabled": false}}, "name the ServiceAccount that the manager shall run as"),
		Entry("a registry in the manager's repository",
			only("manager.image.repository", "localhost/tars"), "manager.image.repository begins with a registry (localhost): put that into manager.image.registry"),
		Entry("a registry with a port in the manager's repository",
			only("manager.image.repository", "registry:5000/tars"), "put that into manager.image.registry"),
		Entry("a registry in the external processor's repository",
			only("extProc.image.repository", "registry.example.com/tars"), "put that into extProc.image.registry"),
	)

	It("refuses an older Kubernetes", func() {
		_, err := installation{kubeVersion: "v1.32.9"}.template()
		Expect(err).To(MatchError(ContainSubstring("incompatible with Kubernetes v1.32.9")))
		for _, version := range []string{"v1.33.0", "v1.33.4-gke.100", "v1.36.3+k3s1"} {
			_, err := installation{kubeVersion: version}.template()
			Expect(err).NotTo(HaveOccurred(), version)
		}
	})
})

// expectSame compares a schema with a Go type of Kubernetes' API.
func expectSame(path string, s *schema, t reflect.Type, root *schema) {
	GinkgoHelper()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[resource.Quantity]():
		Expect(s.Type).To(ConsistOf("string", "number"), path)
	case t.Kind() == reflect.Struct:
		Expect(s.Type).To(Equal("object"), path)
		fields := jsonFields(t)
		Expect(slices.Sorted(maps.Keys(s.Properties))).To(Equal(slices.Sorted(maps.Keys(fields))), path)
		for name, field := range fields {
			expectSame(path+"."+name, s.Properties[name].resolve(root), field, root)
		}
	case t.Kind() == reflect.Slice:
		Expect(s.Type).To(Equal("array"), path)
		expectSame(path+"[]", s.Items.resolve(root), t.Elem(), root)
	case t.Kind() == reflect.Map:
		Expect(s.Type).To(Equal("object"), path)
		value := &schema{}
		Expect(json.Unmarshal(s.AdditionalProperties, value)).To(Succeed(), path)
		expectSame(path+"[]", value.resolve(root), t.Elem(), root)
	default:
		kinds := map[reflect.Kind]string{
			reflect.String: "string", reflect.Bool: "boolean", reflect.Int32: "integer", reflect.Int64: "integer",
		}
		Expect(s.Type).To(Equal(kinds[t.Kind()]), path)
	}
}

func jsonFields(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			maps.Copy(out, jsonFields(field.Type))
			continue
		}
		out[name] = field.Type
	}
	return out
}
