// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/test/docs/markdown"
)

// fieldExample is a section of docs/fields.md.
type fieldExample struct {
	spec map[string]any
	// commands are those that show what the field did.
	commands []markdown.Command
}

// fieldExamples are the sections of docs/fields.md by their headings.
func fieldExamples() map[string]*fieldExample {
	GinkgoHelper()
	blocks, err := markdown.Blocks(filepath.Join("..", ".."), "docs/fields.md")
	Expect(err).NotTo(HaveOccurred())
	examples := map[string]*fieldExample{}
	for _, block := range blocks {
		if examples[block.Heading] == nil {
			examples[block.Heading] = &fieldExample{}
		}
		example := examples[block.Heading]
		switch block.Language {
		case "yaml":
			Expect(example.spec).To(BeNil(), "%s: a second example of %s", block.Where(), block.Heading)
			u := &unstructured.Unstructured{}
			Expect(yaml.UnmarshalStrict([]byte(block.Text), &u.Object)).To(Succeed(), block.Where())
			example.spec = u.Object
		case "console":
			example.commands = append(example.commands, block.Commands()...)
		}
	}
	return examples
}

// leaves are the fields of ours in spec that hold no further field of ours.
func leaves(crd *apiextensionsv1.CustomResourceDefinition) map[string]apiextensionsv1.JSONSchemaProps {
	own := ours(crd)
	found := map[string]apiextensionsv1.JSONSchemaProps{}
	for path, schema := range own {
		inner := false
		for other := range own {
			inner = inner || strings.HasPrefix(other, path+".") || strings.HasPrefix(other, path+"[].")
		}
		if strings.HasPrefix(path, "spec.") && !inner && !strings.HasSuffix(path, "[]") {
			found[path] = schema
		}
	}
	return found
}

// sets reports whether an object has a value at the path of a field.
func sets(value any, path string) bool {
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, func(item any) bool { return sets(item, path) })
	}
	name, rest, more := strings.Cut(path, ".")
	object, _ := value.(map[string]any)
	inner, ok := object[strings.TrimSuffix(name, "[]")]
	return ok && (!more || sets(inner, rest))
}

// sectionOf is the heading under which a field is: its own path, or that of the
// list or object that holds it.
func sectionOf(examples map[string]*fieldExample, path string) string {
	for section := path; section != ""; section = section[:max(strings.LastIndex(section, "."), 0)] {
		if examples[strings.TrimSuffix(section, "[]")] != nil {
			return strings.TrimSuffix(section, "[]")
		}
	}
	return ""
}

// limits are the numbers and the words that the schema has for a field.
func limits(schema apiextensionsv1.JSONSchemaProps) []string {
	var words []string
	for _, bound := range []*int64{schema.MinItems, schema.MaxItems, schema.MaxProperties} {
		if bound != nil {
			words = append(words, fmt.Sprint(*bound))
		}
	}
	for _, bound := range []*float64{schema.Minimum, schema.Maximum} {
		if bound != nil {
			words = append(words, fmt.Sprint(int64(*bound)))
		}
	}
	for _, value := range schema.Enum {
		words = append(words, strings.Trim(string(value.Raw), `"`))
	}
	return words
}

var _ = Describe("docs/fields.md", func() {
	It("has an example that sets the field, and a command that shows it, for every field of spec", func(ctx SpecContext) {
		examples := fieldExamples()
		unused := maps.Clone(examples)
		all := leaves(readCRD(ctx))
		Expect(len(all)).To(BeNumerically(">", 25))
		for path := range all {
			section := sectionOf(examples, path)
			Expect(section).NotTo(BeEmpty(), "%s has no section", path)
			Expect(sets(examples[section].spec, path)).To(BeTrue(), "the example of %s does not set %s", section, path)
			Expect(examples[section].commands).To(ContainElement(HaveField("Prints", Not(BeEmpty()))), section)
			delete(unused, section)
		}
		Expect(unused).To(BeEmpty(), "sections about what is no field")
	})

	It("says each field's default and limits as the schema does", func(ctx SpecContext) {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", "fields.md"))
		Expect(err).NotTo(HaveOccurred())
		sections := map[string]string{}
		for _, section := range strings.Split(string(text), "\n## ")[1:] {
			heading, body, _ := strings.Cut(section, "\n")
			sections[heading] = body
		}
		examples := fieldExamples()
		for path, schema := range leaves(readCRD(ctx)) {
			section := sectionOf(examples, path)
			match := regexp.MustCompile(`(?s)\n- \*\*Default\*\* (.+)\n- \*\*Limits\*\* (.+)$`).FindStringSubmatch(sections[section])
			Expect(match).To(HaveLen(3), "%s: no default or no limits", section)
			if schema.Default != nil {
				var value any
				Expect(json.Unmarshal(schema.Default.Raw, &value)).To(Succeed())
				Expect(match[1]).To(ContainSubstring(fmt.Sprint(value)), "the default of %s", path)
			}
			for _, word := range limits(schema) {
				Expect(match[2]).To(MatchRegexp(`\b`+word+`\b`), "the limits of %s", path)
			}
		}
	})
})
