// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/test/docs/markdown"
)

var _ = Describe("What the project tells users to apply", func() {
	DescribeTable("is accepted:", func(ctx SpecContext, pattern string) {
		files, err := filepath.Glob(filepath.Join("..", "..", pattern))
		Expect(err).NotTo(HaveOccurred())
		found := 0
		for _, file := range files {
			for _, manifest := range manifests(file) {
				u := &unstructured.Unstructured{}
				Expect(yaml.UnmarshalStrict([]byte(manifest), &u.Object)).To(Succeed(), file)
				if u.GetKind() != "TarsBackend" {
					continue
				}
				u.SetNamespace(namespace)
				Expect(admit(ctx, u)).To(Succeed(), "%s:\n%s", file, manifest)
				found++
			}
		}
		Expect(found).NotTo(BeZero(), "no TarsBackend in %s", pattern)
	},
		Entry("the samples", "config/samples/*.yaml"),
		Entry("the README", "README.md"),
		Entry("the fields by example", "docs/fields.md"),
	)
})

// manifests are the YAML documents of a file: all of it, or those in a
// Markdown file's fenced blocks.
func manifests(file string) []string {
	GinkgoHelper()
	var texts []string
	if strings.HasSuffix(file, ".md") {
		blocks, err := markdown.Blocks(filepath.Dir(file), filepath.Base(file))
		Expect(err).NotTo(HaveOccurred())
		for _, block := range blocks {
			if block.Language == "yaml" {
				texts = append(texts, block.Text)
			}
		}
	} else {
		data, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		texts = []string{string(data)}
	}
	var all []string
	for _, t := range texts {
		for document := range strings.SplitSeq("\n"+t, "\n---") {
			if strings.Contains(document, "kind: TarsBackend") {
				all = append(all, document)
			}
		}
	}
	return all
}
