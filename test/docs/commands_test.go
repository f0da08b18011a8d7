// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/docs/markdown"
)

// untyped are the blocks that test/e2e does not try, and why: the only place
// where a block may be left out.
var untyped = []struct{ page, firstLine, why string }{
	{"README.md", "make demo", "it makes a cluster of its own; docs/evidence/demo.txt is a run of it"},
	{"README.md", "make test", "it runs every suite, this one among them"},
	{"docs/gitops.md", "data:", "test/gitops runs the Lua of it"},
	{"docs/gitops.md", "apiVersion: kustomize.toolkit.fluxcd.io/v1", "the cluster has no Flux; test/gitops checks what wait goes by"},
	{"charts/tars-operator/README.md", "helm install tars-operator charts/tars-operator --namespace tars-system --create-namespace --wait",
		"it is README's first step, which test/e2e types"},
	{"charts/tars-operator/README.md", "helm test tars-operator --namespace tars-system --logs", "test/e2e/helm4_test.go runs it with Helm 3 and 4"},
	{"charts/tars-operator/README.md", `helm install tars-operator charts/tars-operator --namespace tars-system --create-namespace --wait \`,
		"it needs a registry; test/chart renders such values"},
	{"charts/tars-operator/README.md", "manager:", "it needs a registry; test/chart renders such values"},
}

var _ = Describe("A block of the documents with something to type", func() {
	It("is tried in a cluster, or listed here with the reason", func() {
		blocks, err := markdown.Blocks(root, "README.md", "docs/*.md", "charts/*/README.md")
		Expect(err).NotTo(HaveOccurred())
		used := map[int]bool{}
		for _, block := range blocks {
			if block.State != "" || !slices.Contains([]string{"sh", "console", "yaml"}, block.Language) {
				Expect(block.Language).NotTo(BeEmpty(), "%s: say what it is: sh, console, yaml, or text", block.Where())
				continue
			}
			listed := -1
			for n, u := range untyped {
				if u.page == block.Page && u.firstLine == block.FirstLine() && !used[n] {
					listed = n
					break
				}
			}
			Expect(listed).NotTo(Equal(-1), "%s: nothing tries it: give it a state (```%s e2e=team), or list it here", block.Where(), block.Language)
			used[listed] = true
		}
		for n, u := range untyped {
			Expect(used).To(HaveKey(n), "%s has no untried block that begins with %q any more", u.page, u.firstLine)
			Expect(u.why).NotTo(BeEmpty())
		}
	})
})
