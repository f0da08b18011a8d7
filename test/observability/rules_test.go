// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// alert is one rule.
type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

// alerts are the rules by name.
func alerts() map[string]alert {
	GinkgoHelper()
	var object struct {
		Spec struct{ Groups []struct{ Rules []alert } }
	}
	Expect(yaml.Unmarshal([]byte(read(rulesFile)), &object)).To(Succeed())
	found := map[string]alert{}
	for _, group := range object.Spec.Groups {
		for _, rule := range group.Rules {
			Expect(found).NotTo(HaveKey(rule.Alert))
			found[rule.Alert] = rule
		}
	}
	Expect(found).NotTo(BeEmpty())
	return found
}

// names are those of the alerts, sorted.
func names() []string { return slices.Sorted(maps.Keys(alerts())) }

// plainRules writes the alerts into a folder as Prometheus itself reads them, and
// returns the path.
func plainRules(dir string) string {
	GinkgoHelper()
	var object struct {
		Spec map[string]any `json:"spec"`
	}
	Expect(yaml.Unmarshal([]byte(read(rulesFile)), &object)).To(Succeed())
	rules, err := yaml.Marshal(object.Spec)
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(dir, "rules.yaml")
	Expect(os.WriteFile(path, rules, 0o600)).To(Succeed())
	return path
}

// promtool runs it in a folder with the alerts and their tests.
func promtool(ctx SpecContext, args ...string) string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	plainRules(dir)
	Expect(os.WriteFile(filepath.Join(dir, "alerts.yaml"), []byte(read("testdata/alerts.yaml")), 0o600)).To(Succeed())
	cmd := exec.CommandContext(ctx, program("promtool"), args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))
	return string(out)
}

var _ = Describe("The alerts", func() {
	It("are rules that Prometheus takes", func(ctx SpecContext) {
		Expect(promtool(ctx, "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")).
			To(MatchRegexp(`SUCCESS: %d rules found`, len(alerts())))
	})

	It("fire and do not fire as their tests say, with the labels and texts there", func(ctx SpecContext) {
		Expect(promtool(ctx, "test", "rules", "alerts.yaml")).To(ContainSubstring("SUCCESS"))
	})

	It("each have a test in which they fire and one in which they do not", func() {
		var file struct {
			Tests []struct {
				AlertRuleTest []struct {
					Alertname string
					ExpAlerts []any `json:"exp_alerts"`
				} `json:"alert_rule_test"`
			}
		}
		Expect(yaml.Unmarshal([]byte(read("testdata/alerts.yaml")), &file)).To(Succeed())
		firing, quiet := map[string]bool{}, map[string]bool{}
		for _, test := range file.Tests {
			for _, expectation := range test.AlertRuleTest {
				if len(expectation.ExpAlerts) > 0 {
					firing[expectation.Alertname] = true
				} else {
					quiet[expectation.Alertname] = true
				}
			}
		}
		Expect(slices.Sorted(maps.Keys(firing))).To(Equal(names()))
		Expect(slices.Sorted(maps.Keys(quiet))).To(Equal(names()))
	})

	It("wait, have a severity, and say what is wrong, in which layer, and where to read on", func() {
		for name, rule := range alerts() {
			Expect(rule.For).NotTo(BeEmpty(), name)
			Expect(rule.Labels["severity"]).To(BeElementOf("critical", "warning"), name)
			Expect(slices.Sorted(maps.Keys(rule.Annotations))).To(Equal([]string{"description", "runbook_url", "summary"}), name)
			Expect(len(rule.Annotations["summary"])).To(BeNumerically("<", 120), name)
			Expect(rule.Annotations["description"]).To(ContainSubstring("layer"), name)
			Expect(rule.Annotations["runbook_url"]).To(HaveSuffix("/docs/runbook.md#"+strings.ToLower(name)), name)
		}
	})

	It("each have a heading in the runbook, with what it means, how to look, what that prints and how to fix it", func() {
		_, section, found := strings.Cut(read(runbook), "\n## Alerts\n")
		Expect(found).To(BeTrue())
		var headings []string
		for _, part := range strings.Split(section, "\n### ")[1:] {
			heading, body, _ := strings.Cut(part, "\n")
			headings = append(headings, heading)
			Expect(body).To(And(ContainSubstring("**Means**"), ContainSubstring("**Look** `kubectl "),
				ContainSubstring("**Prints**"), ContainSubstring("**Fix**")), heading)
		}
		Expect(headings).To(ConsistOf(names()))
	})

	It("are named in docs/metrics.md beside the metrics that they ask for", func() {
		row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|.*\\| ([^|]*) \\|$")
		metric := regexp.MustCompile(`\b(tars|gen_ai)_\w+`)
		for _, match := range row.FindAllStringSubmatch(read(root+"/docs/metrics.md"), -1) {
			used := []string{}
			for name, rule := range alerts() {
				if slices.Contains(metric.FindAllString(rule.Expr, -1), match[1]) {
					used = append(used, name)
				}
			}
			slices.Sort(used)
			told := strings.Fields(strings.ReplaceAll(match[2], ",", " "))
			Expect(told).To(Equal(used), "alerts that use %s", match[1])
		}
	})
})
