// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/dataplane/errorcase"
	"github.com/tars-operator/tars-operator/test/docs/markdown"
)

// matches are the first groups of a pattern's matches in files, each once.
func matches(pattern string, files ...string) []string {
	GinkgoHelper()
	found := []string{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		Expect(err).NotTo(HaveOccurred())
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			found = append(found, match[1])
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

var _ = Describe("docs/troubleshooting.md", func() {
	const page = "../../docs/troubleshooting.md"

	It("has every error.code of ours", func() {
		sources, err := filepath.Glob("../../extproc/apierror/*.go")
		Expect(err).NotTo(HaveOccurred())
		sources = slices.DeleteFunc(sources, func(path string) bool { return filepath.Base(path) == "apierror_test.go" })
		var produced []string
		for _, pattern := range []string{`client\(http\.Status\w+, "([a-z_]+)"`, `Code: "([a-z_]+)"`, `const Code\w+ = "([a-z_]+)"`, `", "([a-z_]+)", (?:true|false)`} {
			produced = append(produced, matches(pattern, sources...)...)
		}
		Expect(len(produced)).To(BeNumerically(">", 15))
		documented := matches("`([a-z]+_[a-z_]+|forbidden|overloaded|unauthorized)`(?: \\||,|:)", page)
		for _, code := range produced {
			Expect(documented).To(ContainElement(code))
		}
	})

	It("has a heading for every status that the goldens of errors have", func() {
		headings := matches(`(?m)^## (\d{3})$`, page)
		for _, c := range errorcase.Cases() {
			Expect(headings).To(ContainElement(c.Name[:3]), c.Name)
		}
		Expect(headings).To(ContainElements("200", "402", "408", "499"))
	})

	It("gives a command and what it prints for each", func() {
		blocks, err := markdown.Blocks(root, "docs/troubleshooting.md")
		Expect(err).NotTo(HaveOccurred())
		shown := map[string]bool{}
		for _, block := range blocks {
			for _, command := range block.Commands() {
				Expect(command.Prints).NotTo(BeEmpty(), block.Where())
				shown[block.Heading] = true
			}
		}
		for _, heading := range matches(`(?m)^## (\d{3})$`, page) {
			Expect(shown).To(HaveKey(heading))
		}
		text, err := os.ReadFile(page)
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Count(string(text), "**Prints**")).To(Equal(strings.Count(string(text), "**Look**")))
	})
})
