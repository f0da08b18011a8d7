// SPDX-License-Identifier: Apache-2.0

// Package docs holds the documents and what they are about together.
package docs

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	root         = "../.."
	dependencies = root + "/docs/dependencies.md"
)

func TestDocs(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/docs")
}

// goModules are the folders of all Go modules.
func goModules() []string {
	var found []string
	Expect(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if d.Name() == "go.mod" {
			relative, err := filepath.Rel(root, path)
			Expect(err).NotTo(HaveOccurred())
			found = append(found, relative)
		}
		return nil
	})).To(Succeed())
	return found
}

// direct are a module's direct dependencies and the modules of its tools, each
// with its version.
func direct(goMod string) map[string]string {
	out, err := exec.Command("go", "mod", "edit", "-json", filepath.Join(root, goMod)).Output()
	Expect(err).NotTo(HaveOccurred())
	var module struct {
		Require []struct {
			Path, Version string
			Indirect      bool
		}
		Tool []struct{ Path string }
	}
	Expect(json.Unmarshal(out, &module)).To(Succeed())
	found := map[string]string{}
	for _, r := range module.Require {
		if !r.Indirect {
			found[r.Path] = r.Version
		}
		for _, tool := range module.Tool {
			if tool.Path == r.Path || strings.HasPrefix(tool.Path, r.Path+"/") {
				found[r.Path] = r.Version
			}
		}
	}
	return found
}

// documented are the rows under each heading that names a go.mod: modules and
// versions. Each row has to say why.
func documented() map[string]map[string]string {
	text, err := os.ReadFile(dependencies)
	Expect(err).NotTo(HaveOccurred())
	row := regexp.MustCompile(`(?m)^\| ([a-z][^ |]*) \| (v\d[^ |]*) \| ([^|]*) \|$`)
	found := map[string]map[string]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		goMod := strings.Trim(heading, "`")
		if !strings.HasSuffix(goMod, "go.mod") {
			continue
		}
		found[goMod] = map[string]string{}
		for _, match := range row.FindAllStringSubmatch(body, -1) {
			Expect(len(match[3])).To(BeNumerically(">=", len("tests")), "%s: why is %s there?", goMod, match[1])
			found[goMod][match[1]] = match[2]
		}
	}
	return found
}

var _ = Describe("docs/dependencies.md", func() {
	It("has every Go module", func() {
		var headings []string
		for goMod := range documented() {
			headings = append(headings, goMod)
		}
		Expect(headings).To(ConsistOf(goModules()))
	})

	It("has every direct dependency with its version, and no other", func() {
		tables := documented()
		for _, goMod := range goModules() {
			Expect(tables[goMod]).To(Equal(direct(goMod)), goMod)
		}
	})
})
