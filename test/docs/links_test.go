// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// headingAnchor is what a heading is linked by.
func headingAnchor(heading string) string {
	var anchor strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			anchor.WriteRune(r)
		case r == ' ':
			anchor.WriteRune('-')
		}
	}
	return anchor.String()
}

var _ = Describe("The documents", func() {
	It("link to files and headings that are there", func() {
		var pages []string
		for _, pattern := range []string{"*.md", "docs/*.md", "charts/*/*.md", "extproc/*.md", "test/*/*.md"} {
			found, err := filepath.Glob(filepath.Join("..", "..", pattern))
			Expect(err).NotTo(HaveOccurred())
			pages = append(pages, found...)
		}
		Expect(len(pages)).To(BeNumerically(">", 15))
		for _, page := range pages {
			text, err := os.ReadFile(page)
			Expect(err).NotTo(HaveOccurred())
			for _, match := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(string(text), -1) {
				expectTarget(page, match[1])
			}
		}
	})
})

// expectTarget follows a link of a page.
func expectTarget(page, link string) {
	GinkgoHelper()
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := page
	if file != "" {
		target = filepath.Join(filepath.Dir(page), file)
	}
	Expect(target).To(Or(BeAnExistingFile(), BeADirectory()), page+" links to "+link)
	if anchor == "" {
		return
	}
	text, err := os.ReadFile(target)
	Expect(err).NotTo(HaveOccurred())
	var anchors []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
		anchors = append(anchors, headingAnchor(heading[1]))
	}
	Expect(anchors).To(ContainElement(anchor), page+" links to "+link)
}
