// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/docs/markdown"
)

// documentNamespace is the one of the documents' commands.
const documentNamespace = "team"

// desk is where the documents' commands are typed: a folder with what they
// name, and kubeconfigs whose namespace is theirs.
type desk struct {
	dir string
	// inside is for the cluster's network, where the apiserver has its own
	// address, and outside for the host's.
	inside, outside string
	// image is the manager's and the external processors'.
	image string
	// states are made before a block that names one.
	states map[string]func()
}

// typedBlocks are the blocks of pages that name a state, by page.
func typedBlocks(root string) (map[string][]markdown.Block, error) {
	blocks, err := markdown.Blocks(root, "README.md", "docs/*.md")
	pages := map[string][]markdown.Block{}
	for _, block := range blocks {
		if block.State != "" && block.State != readmeState {
			pages[block.Page] = append(pages[block.Page], block)
		}
	}
	return pages, err
}

// newDesk makes the desk, and the TarsBackend that the commands are about.
func newDesk() *desk {
	GinkgoHelper()
	d := &desk{dir: GinkgoT().TempDir()}
	d.inside, d.outside = d.kubeconfig(filepath.Join(filepath.Dir(lab.kubeconfig), "admin.kubeconfig")), d.kubeconfig(lab.kubeconfig)
	d.image = operatorImageInUse()
	files, err := filepath.Glob(filepath.Join(lab.root, "test/e2e/testdata/documents/*"))
	Expect(err).NotTo(HaveOccurred())
	for _, file := range append(files, filepath.Join(lab.root, "config")) {
		Expect(os.Symlink(file, filepath.Join(d.dir, filepath.Base(file)))).To(Succeed())
	}
	lab.tools["tars-operator"] = lab.Program()
	DeferCleanup(func() { delete(lab.tools, "tars-operator") })

	newNamespace(documentNamespace)
	apply(documentNamespace, gatewayManifest("eg")+secretManifest("tars-api-key", demoKey))
	kubectl("wait", "-n", documentNamespace, "--for=condition=Programmed", "gateway/eg", "--timeout=3m")
	d.states = documentStates(d)
	d.states["team"]()
	return d
}

// shell is a run of commands at the desk, in the cluster's network where they
// send requests.
func (d *desk) shell(script string) command {
	c := command{name: "bash", dir: d.dir, args: []string{"-c", "set -euo pipefail\n" + script}, env: []string{
		"KUBECONFIG=" + d.outside, "TARS_API_KEY=" + demoKey, "IMAGE=" + d.image,
	}}
	if strings.Contains(script, "BASE_URL") {
		c.name = filepath.Join(lab.root, "test/cluster/cluster")
		c.args = []string{"exec", "--name", lab.Name, "bash", "-c", "set -euo pipefail\ncd " + d.dir + `
BASE_URL=$(kubectl get tarsbackend tars -o jsonpath='{.status.urls[?(@.api=="OpenAI")].url}')
` + script}
		c.env[0] = "KUBECONFIG=" + d.inside
	}
	return c
}

// kubeconfig makes one with the documents' namespace out of one of the cluster's.
func (d *desk) kubeconfig(from string) string {
	GinkgoHelper()
	content, err := os.ReadFile(from)
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(d.dir, filepath.Base(from))
	Expect(os.WriteFile(path, content, 0o600)).To(Succeed())
	must(command{name: "kubectl", args: []string{"--kubeconfig", path, "config", "set-context", "--current", "--namespace", documentNamespace}})
	return path
}

// do does what a block says: a manifest is applied, commands are typed, and
// those of a console are typed until they print what the page has.
func (d *desk) do(block markdown.Block) {
	GinkgoHelper()
	switch block.Language {
	case "yaml":
		apply(documentNamespace, block.Text)
	case "sh":
		must(d.shell(block.Text))
	case "console":
		for _, c := range block.Commands() {
			Eventually(func(g Gomega) {
				out, err := d.shell("{ " + c.Line + "\n} 2>&1").run(context.Background())
				g.Expect(c.Matches(out)).To(BeTrue(), "%s: %s printed (%v)\n%s\nand the page says\n%s", block.Where(), c.Line, err, out, c.Prints)
			}).WithPolling(pollInterval * 5).Should(Succeed())
		}
	default:
		Fail(fmt.Sprintf("%s: nobody knows how to try a block of %s", block.Where(), block.Language))
	}
}

var _ = Describe("What the documents say to type", Ordered, ContinueOnFailure, func() {
	var d *desk
	pages, err := typedBlocks(filepath.Join("..", ".."))

	BeforeAll(func() {
		Expect(err).NotTo(HaveOccurred())
		d = newDesk()
	})

	for _, page := range slices.Sorted(maps.Keys(pages)) {
		It("does what "+page+" says", func() {
			state := ""
			for _, block := range pages[page] {
				Expect(d.states).To(HaveKey(block.State), "%s: the state of the block", block.Where())
				if block.State != state {
					d.states[block.State]()
					state = block.State
				}
				d.do(block)
			}
		})
	}

	It("needs every state that there is", func() {
		needed := map[string]bool{}
		for _, blocks := range pages {
			for _, block := range blocks {
				needed[block.State] = true
			}
		}
		for state := range d.states {
			Expect(needed).To(HaveKey(state))
		}
	})
})
