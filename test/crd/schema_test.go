// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"fmt"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// fields are all fields of a CRD by path. The items of a list and the values
// of a map have the path of their parent and "[]".
func fields(crd *apiextensionsv1.CustomResourceDefinition) map[string]apiextensionsv1.JSONSchemaProps {
	all := map[string]apiextensionsv1.JSONSchemaProps{}
	collect(all, "", *crd.Spec.Versions[0].Schema.OpenAPIV3Schema)
	return all
}

func collect(all map[string]apiextensionsv1.JSONSchemaProps, path string, s apiextensionsv1.JSONSchemaProps) {
	all[path] = s
	for name, property := range s.Properties {
		collect(all, strings.TrimPrefix(path+"."+name, "."), property)
	}
	if s.Items != nil && s.Items.Schema != nil {
		collect(all, path+"[]", *s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		collect(all, path+"[]", *s.AdditionalProperties.Schema)
	}
}

// embedded are types of Kubernetes and Gateway API whose fields we cannot
// bound; their own projects test them.
var embedded = regexp.MustCompile(`^(` + strings.Join([]string{
	`(spec\.|status\.parents\[\]\.)parentRefs?(\[\])?\..*`,
	`spec\.endpoint\.tls\.validation\.caCertificateRefs\[\]\..*`,
	`spec\.extProc\.resources\..*`,
	`spec\.extProc\.podTemplate\.(affinity|tolerations\[\]|imagePullSecrets\[\])\..*`,
	`status\.(parents\[\]\.)?conditions\[\]\..*`,
	`apiVersion`, `kind`, `metadata`,
}, "|") + `)$`)

// ours are the fields of our own types.
func ours(crd *apiextensionsv1.CustomResourceDefinition) map[string]apiextensionsv1.JSONSchemaProps {
	own := fields(crd)
	for path := range own {
		if embedded.MatchString(path) {
			delete(own, path)
		}
	}
	return own
}

// demand is something that the schema refuses: the path it complains about
// and a part of the complaint.
type demand struct{ path, message string }

// demands are all rules and bounds of one field.
func demands(path string, s apiextensionsv1.JSONSchemaProps) []demand {
	var all []demand
	add := func(message string) { all = append(all, demand{path, message}) }
	bound := func(n *int64, words string) {
		if n != nil && *n > 0 {
			add(fmt.Sprintf(words, *n))
		}
	}
	bound(s.MinItems, "should have at least %d items")
	bound(s.MaxItems, "must have at most %d item")
	bound(s.MaxProperties, "must have at most %d item")
	bound(s.MinLength, "should be at least %d chars long")
	bound(s.MaxLength, "may not be more than %d bytes")
	if s.Minimum != nil {
		add(fmt.Sprintf("greater than or equal to %d", int64(*s.Minimum)))
	}
	if s.Maximum != nil {
		add(fmt.Sprintf("less than or equal to %d", int64(*s.Maximum)))
	}
	if s.Pattern != "" {
		add("should match '")
	}
	if len(s.Enum) > 0 {
		add("supported values: ")
	}
	for _, rule := range s.XValidations {
		add(rule.Message)
	}
	for _, name := range s.Required {
		if child := strings.TrimPrefix(path+"."+name, "."); !embedded.MatchString(child) {
			all = append(all, demand{child, "Required value"})
		}
	}
	if s.XListType != nil && *s.XListType != "atomic" {
		all = append(all, demand{path + "[]", "Duplicate value"})
	}
	return all
}

// inPath is an index of a list in the path of a complaint.
var inPath = regexp.MustCompile(`\[\d+\]`)

// meets reports whether a case expects what is demanded.
func (d demand) meets(r refusal) bool {
	field := inPath.ReplaceAllString(r.field, "[]")
	// A map's value is named by its key.
	if before, key, ok := strings.Cut(field, ".k"); ok && key == "" {
		field = before + "[]"
	}
	return field == d.path && (strings.Contains(r.message, d.message) || strings.Contains(d.message, r.message))
}

var _ = Describe("The CRD", func() {
	It("has a refused case for each of its rules and bounds", func(ctx SpecContext) {
		cases := append(refusals(), statusRefusals...)
		cases = append(cases,
			refusal{field: "", message: nameMessage},
			refusal{field: "spec", message: "Required value"})
		var missing []string
		for path, schema := range ours(readCRD(ctx)) {
			for _, d := range demands(path, schema) {
				met := false
				for _, r := range cases {
					met = met || d.meets(r)
				}
				if !met {
					missing = append(missing, d.path+": "+d.message)
				}
			}
		}
		Expect(missing).To(BeEmpty(), "add a case to refused_*_test.go")
	})

	It("bounds every list, map and string of ours", func(ctx SpecContext) {
		var unbounded []string
		for path, s := range ours(readCRD(ctx)) {
			bounded := true
			switch s.Type {
			case "array":
				bounded = s.MaxItems != nil
			case "object":
				bounded = s.AdditionalProperties == nil || s.MaxProperties != nil
			case "string":
				bounded = s.MaxLength != nil || len(s.Enum) > 0 || boundedPattern(s.Pattern)
			}
			if !bounded {
				unbounded = append(unbounded, path)
			}
		}
		Expect(unbounded).To(BeEmpty())
	})

	It("explains every field", func(ctx SpecContext) {
		var silent []string
		for path, s := range fields(readCRD(ctx)) {
			// kubectl explain shows a list's or map's description for its items,
			// and knows metadata by itself.
			if s.Description == "" && path != "" && path != "metadata" && !strings.HasSuffix(path, "[]") {
				silent = append(silent, path)
			}
		}
		Expect(silent).To(BeEmpty())
		Expect(fields(readCRD(ctx))[""].Description).To(HavePrefix("TarsBackend connects"))
	})

	It("begins each description of ours with the field's name", func(ctx SpecContext) {
		var others []string
		for path, s := range ours(readCRD(ctx)) {
			name := path[strings.LastIndex(path, ".")+1:]
			if name != "" && !strings.HasSuffix(name, "[]") && !strings.HasPrefix(s.Description, name+" ") {
				others = append(others, path+": "+s.Description)
			}
		}
		Expect(others).To(BeEmpty(), "kubectl explain and the Go documentation show the same text")
	})

	It("merges lists as declared", func(ctx SpecContext) {
		lists := map[string]string{}
		for path, s := range ours(readCRD(ctx)) {
			if s.Type != "array" {
				continue
			}
			Expect(s.XListType).NotTo(BeNil(), path)
			lists[path] = *s.XListType + strings.Join(s.XListMapKeys, ",")
		}
		Expect(lists).To(Equal(map[string]string{
			"spec.parentRefs":  "atomic",
			"spec.hostnames":   "atomic",
			caPath:             "atomic",
			allowPath:          "set",
			"spec.retry.codes": "set",
			aliasesPath:        "mapname",
			pullSecretsPath:    "mapname",
			envPath:            "mapname",

			podTemplatePath + "tolerations": "atomic",

			"status.conditions":           "maptype",
			"status.parents":              "atomic",
			"status.parents[].conditions": "maptype",
			"status.parents[].addresses":  "atomic",
			"status.urls":                 "atomic",
			"status.models.missing":       "atomic",
		}))
	})

	It("keeps no field that it does not know", func(ctx SpecContext) {
		crd := readCRD(ctx)
		Expect(crd.Spec.PreserveUnknownFields).To(BeFalse())
		for path, s := range fields(crd) {
			Expect(s.XPreserveUnknownFields).To(BeNil(), path)
			Expect(s.XEmbeddedResource).To(BeFalse(), path)
		}
	})
})

// boundedPattern reports whether a pattern bounds the length of what it
// matches: it is anchored and repeats nothing without end.
func boundedPattern(pattern string) bool {
	return strings.HasPrefix(pattern, "^") && strings.HasSuffix(pattern, "$") && !strings.ContainsAny(pattern, "*+")
}
