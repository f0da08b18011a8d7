// SPDX-License-Identifier: Apache-2.0

package markdown

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestMarkdown(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/docs/markdown")
}

const page = "# Page\n\n## First\n\n1. Do\n\n   ```sh e2e=ready\n   a \\\n     b\n   ```\n\n## Second\n\n" +
	"```console\n$ one \\\n  two\nout\n$ three\n```\n\n```text\nno # heading\n```\n"

var _ = Describe("A page's blocks", func() {
	It("have their section, language, state and text", func() {
		blocks, err := read("p.md", page)
		Expect(err).NotTo(HaveOccurred())
		Expect(blocks).To(Equal([]Block{
			{Page: "p.md", Line: 7, Heading: "First", Language: "sh", State: "ready", Text: "a \\\n  b\n"},
			{Page: "p.md", Line: 14, Heading: "Second", Language: "console", Text: "$ one \\\n  two\nout\n$ three\n"},
			{Page: "p.md", Line: 21, Heading: "Second", Language: "text", Text: "no # heading\n"},
		}))
		Expect(blocks[0].FirstLine()).To(Equal(`a \`))
		Expect(blocks[1].Commands()).To(Equal([]Command{{Line: "one \\\n  two", Prints: "out\n"}, {Line: "three"}}))
	})

	It("end before the page does", func() {
		_, err := read("p.md", "```sh\na\n")
		Expect(err).To(MatchError("p.md:1: the fence is never closed"))
	})

	It("are read from files, of which there has to be one", func() {
		dir := GinkgoT().TempDir()
		Expect(os.WriteFile(filepath.Join(dir, "p.md"), []byte(page), 0o600)).To(Succeed())
		Expect(Blocks(dir, "*.md")).To(HaveLen(3))
		_, err := Blocks(dir, "*.md", "*.txt")
		Expect(err).To(MatchError("no page matches *.txt"))
	})
})

var _ = DescribeTable("What a command prints",
	func(says, printed string, matches bool) {
		Expect(Command{Prints: says}.Matches(printed)).To(Equal(matches))
	},
	Entry("is what the page says", "a b\nc\n", "a b\nc\n", true),
	Entry("may lack the last newline", "a\n", "a", true),
	Entry("may have wider columns", "NAME READY\n", "NAME    READY  \n", true),
	Entry("is not more", "a\n", "a\nb\n", false),
	Entry("is not less", "a\nb\n", "a\n", false),
	Entry("is taken literally", "a.c\n", "abc\n", false),
	Entry("may differ where the page has dots", "sha256:...\n", "sha256:12ab34cd\n", true),
	Entry("may differ within a line only", "a...c\n", "a\nc\n", false),
	Entry("may have other lines where the page has a line of dots", "a\n...\nd\n", "a\nb\nc\nd\n", true),
	Entry("may have no such line", "...\na\n", "a\n", true),
	Entry("has to have the last line", "...\na\n", "b\n", false),
	Entry("may be nothing", "", "", true),
	Entry("is not nothing where the page has something", "a\n", "", false),
	Entry("is nothing where the page has nothing", "", "a\n", false),
)
