// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// yamlBlock is a fenced block of YAML in Markdown, indented or not.
var yamlBlock = regexp.MustCompile("(?ms)^ *```yaml$\n(.*?)^ *```$")

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
	)
})

// manifests are the YAML documents of a file: all of it, or those in a
// Markdown file's fenced blocks.
func manifests(file string) []string {
	GinkgoHelper()
	data, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	texts := []string{string(data)}
	if strings.HasSuffix(file, ".md") {
		texts = nil
		for _, block := range yamlBlock.FindAllStringSubmatch(string(data), -1) {
			texts = append(texts, block[1])
		}
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
