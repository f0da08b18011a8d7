// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	yamlv3 "go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

var _ = Describe("The chart's files", func() {
	It("are byte copies of config/, and nothing else", func() {
		Expect(cmp.Diff(copies(), tree(chartDir+"/files"))).To(BeEmpty(), "hack/sync-chart.sh was not run: config/ (-) and chart (+)")
	})

	It("are all printed", func() {
		rendered := decode(helmTemplate(nil))
		crds, err := filepath.Glob(chartDir + "/files/crds/*.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(rendered.crds).To(HaveLen(len(crds)))
		roles, err := filepath.Glob(chartDir + "/files/rbac/*.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(len(rendered.clusterRoles) + len(rendered.roles)).To(Equal(len(roles)))
	})

	It("may hold a further CRD", func() {
		out, err := installation{change: func(c *chart.Chart) {
			for _, file := range c.Files {
				if strings.HasPrefix(file.Name, "files/crds/") {
					c.Files = append(c.Files, &chart.File{
						Name: "files/crds/other.yaml",
						Data: []byte(strings.ReplaceAll(string(file.Data), "tarsbackends", "others")),
					})
					return
				}
			}
		}}.template()
		Expect(err).NotTo(HaveOccurred())
		Expect(names(decode(out.objects).crds)).To(ConsistOf("tarsbackends.gateway.tars.dev", "others.gateway.tars.dev"))
	})

	It("say so when a role's rules are missing", func() {
		_, err := installation{change: func(c *chart.Chart) {
			for _, file := range c.Files {
				if file.Name == "files/rbac/role.yaml" {
					file.Data = nil
				}
			}
		}}.template()
		Expect(err).To(MatchError(ContainSubstring("files/rbac/role.yaml has no rules")))
	})

	It("are brought up to date by hack/sync-chart.sh, what is left over included", func(ctx SpecContext) {
		root := GinkgoT().TempDir()
		Expect(os.CopyFS(filepath.Join(root, "config"), os.DirFS(configDir))).To(Succeed())
		script(root)
		files := filepath.Join(root, "charts/tars-operator/files")
		write(filepath.Join(files, "rbac/stale_role.yaml"), "left over")
		write(filepath.Join(files, "rbac/role.yaml"), "edited by hand")
		Expect(sync(ctx, root)).To(Succeed())
		Expect(cmp.Diff(copies(), tree(files))).To(BeEmpty())

		Expect(os.Remove(filepath.Join(root, "config/rbac/role.yaml"))).To(Succeed())
		Expect(sync(ctx, root)).To(MatchError(ContainSubstring("config/rbac/role.yaml is missing: run make manifests first")))
		Expect(cmp.Diff(copies(), tree(files))).To(BeEmpty(), "a failure changes nothing")
	})

	It("pass the suites of helm-unittest", func(ctx SpecContext) {
		cmd := exec.CommandContext(ctx, "go", "tool", "-modfile="+rootDir+"/hack/tools/unittest/go.mod",
			"helm-unittest", "--strict", chartDir)
		out, err := cmd.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(out))
		suites, err := filepath.Glob(chartDir + "/tests/*_test.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(string(out)).To(MatchRegexp(`Test Suites: %d passed, %d total`, len(suites), len(suites)))
	}, NodeTimeout(buildTimeout))

	It("leave what is for developers out of the package", func() {
		for _, file := range loadChart().Raw {
			Expect(file.Name).NotTo(HavePrefix("tests/"))
			Expect(file.Name).NotTo(HaveSuffix(".gotmpl"))
		}
	})

	It("pass helm lint --strict", func() {
		lint := action.NewLint()
		lint.Strict = true
		version, err := chartutil.ParseKubeVersion(kubeVersion)
		Expect(err).NotTo(HaveOccurred())
		lint.KubeVersion = version
		installations := []values{{}, only("networkPolicy.enabled", true), monitored()}
		for _, file := range valuesFiles() {
			installations = append(installations, readValues(file))
		}
		for _, v := range installations {
			result := lint.Run([]string{chartDir}, v)
			Expect(result.Errors).To(BeEmpty())
			Expect(result.TotalChartsLinted).To(Equal(1))
		}
	})
})

var _ = Describe("What the chart says about itself", func() {
	It("is the same in values.yaml and values.schema.json", func() {
		leaves := readSchema().leaves()
		documented := documentedValues()
		for _, value := range documented {
			Expect(leaves).To(HaveKey(value.path))
			Expect(leaves[value.path].Description).To(Equal(value.comment), "schema and values.yaml: %s", value.path)
			Expect(read(chartDir+"/README.md")).To(ContainSubstring("| "+value.path+" | "), "make docs was not run")
			Expect(read(chartDir+"/README.md")).To(ContainSubstring(" | "+value.comment+" |\n"), "helm-docs took this comment for something else")
		}
		Expect(documented).To(HaveLen(len(leaves)), "each value has a comment")
	})

	It("has one version, that of the image", func() {
		Expect(chartMetadata().AppVersion).To(MatchRegexp(`^\d+\.\d+\.\d+$`))
		Expect(chartMetadata().Version).To(MatchRegexp(`^\d+\.\d+\.\d+$`))
		Expect(chartMetadata().Validate()).To(Succeed())
		Expect(read(configDir + "/manager/kustomization.yaml")).To(ContainSubstring("newTag: " + chartMetadata().AppVersion + "\n"))
	})

	It("tells the next commands", func() {
		out, err := installation{release: "blue", values: values{}}.template()
		Expect(err).NotTo(HaveOccurred())
		Expect(out.notes).To(ContainSubstring("runs in namespace tars-system as blue-tars-operator-controller-manager"))
		Expect(out.notes).To(ContainSubstring("helm test blue --namespace tars-system"))
		Expect(out.notes).NotTo(ContainSubstring("namespaces alone"))
		Expect(out.notes).To(ContainSubstring("kubectl wait --for=condition=Ready tarsbackend/tars"))
		Expect(out.notes).To(ContainSubstring(`"helm uninstall blue --namespace tars-system"`))
		Expect(out.notes).To(ContainSubstring("Uninstalling leaves the CRD"))

		out, err = installation{values: only("watchNamespaces", []any{"team-a", "team-b"})}.template()
		Expect(err).NotTo(HaveOccurred())
		Expect(out.notes).To(ContainSubstring("TarsBackends of these namespaces alone: team-a, team-b.\n"))

		out, err = installation{values: only("crd.keep", false)}.template()
		Expect(err).NotTo(HaveOccurred())
		Expect(out.notes).To(ContainSubstring("Uninstalling deletes the CRD"))
		Expect(out.notes).NotTo(ContainSubstring("Uninstalling leaves the CRD"))
	})
})

var _ = Describe("The samples", func() {
	It("hold the placeholder that the operator knows, and no other key", func() {
		placeholder := regexp.MustCompile(`PlaceholderKey = "([^"]+)"`).FindStringSubmatch(read(rootDir + "/api/v1alpha1/annotations.go"))
		Expect(placeholder).To(HaveLen(2))
		secrets := kustomizeBuild("samples").kind("Secret")
		Expect(secrets).To(HaveLen(1))
		data, _ := at(secrets[0].Object, "stringData")
		Expect(data).To(Equal(values{"apiKey": placeholder[1]}))
	})

	It("refer to each other", func() {
		samples := kustomizeBuild("samples")
		backends := samples.kind("TarsBackend")
		Expect(backends).To(HaveLen(1))
		secret, _ := at(backends[0].Object, "spec.credential.secretRef.name")
		Expect(secret).To(Equal(samples.kind("Secret")[0].GetName()))
		parents, _ := at(backends[0].Object, "spec.parentRefs")
		Expect(parents).To(Equal([]any{values{"name": samples.kind("Gateway")[0].GetName()}}))
		class, _ := at(samples.kind("Gateway")[0].Object, "spec.gatewayClassName")
		Expect(class).To(Equal(samples.kind("GatewayClass")[0].GetName()))
		controller, _ := at(samples.kind("GatewayClass")[0].Object, "spec.controllerName")
		Expect(decode(helmTemplate(nil)).manager().Args).To(ContainElement("--gateway-controller-names=" + fmt.Sprint(controller)))
	})
})

// copies are what the chart's files have to be.
func copies() map[string]string {
	GinkgoHelper()
	out := map[string]string{}
	for pattern, folder := range map[string]string{
		"crd/bases/*.yaml": "crds/", "rbac/role.yaml": "rbac/", "rbac/*_role.yaml": "rbac/",
		"prometheus/rules.yaml": "prometheus/", "grafana/dashboard.json": "grafana/",
	} {
		sources, err := filepath.Glob(filepath.Join(configDir, pattern))
		Expect(err).NotTo(HaveOccurred())
		Expect(sources).NotTo(BeEmpty(), pattern)
		for _, source := range sources {
			out[folder+filepath.Base(source)] = read(source)
		}
	}
	return out
}

// documentedValue is a value of values.yaml and the comment above it.
type documentedValue struct{ path, comment string }

// documentedValues are in the order of values.yaml.
func documentedValues() []documentedValue {
	GinkgoHelper()
	document := &yamlv3.Node{}
	Expect(yamlv3.Unmarshal([]byte(read(chartDir+"/values.yaml")), document)).To(Succeed())
	var out []documentedValue
	var walk func(prefix string, node *yamlv3.Node)
	walk = func(prefix string, node *yamlv3.Node) {
		for i := 0; i < len(node.Content); i += 2 {
			name, value := node.Content[i], node.Content[i+1]
			path := strings.TrimPrefix(prefix+"."+name.Value, ".")
			if name.HeadComment != "" {
				lines := strings.Split(name.HeadComment, "\n")
				for j := range lines {
					lines[j] = strings.TrimPrefix(strings.TrimPrefix(lines[j], "# "), "-- ")
				}
				out = append(out, documentedValue{path: path, comment: strings.Join(lines, " ")})
				continue
			}
			Expect(value.Kind).To(Equal(yamlv3.MappingNode), "%s has no comment", path)
			walk(path, value)
		}
	}
	walk("", document.Content[0])
	return out
}

// tree returns the contents of the files below a folder.
func tree(dir string) map[string]string {
	GinkgoHelper()
	out := map[string]string{}
	Expect(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		out[name] = read(path)
		return err
	})).To(Succeed())
	return out
}

func read(path string) string {
	GinkgoHelper()
	text, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

func write(path, text string) {
	GinkgoHelper()
	Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
	Expect(os.WriteFile(path, []byte(text), 0o644)).To(Succeed())
}

// script copies hack/sync-chart.sh into another tree.
func script(root string) {
	GinkgoHelper()
	path := filepath.Join(root, "hack/sync-chart.sh")
	write(path, read(rootDir+"/hack/sync-chart.sh"))
	Expect(os.Chmod(path, 0o755)).To(Succeed())
}

// sync runs the script; its error is what it printed.
func sync(ctx SpecContext, root string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(root, "hack/sync-chart.sh"))
	// The script must not need git, and find its tree by itself.
	cmd.Dir = os.TempDir()
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
