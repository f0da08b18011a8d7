// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/chart"
)

// monitored are the values that switch on all that is for Prometheus.
func monitored() values {
	return values{
		"prometheus": values{"enabled": true, "podMonitor": values{"enabled": true}, "rules": values{"enabled": true}},
	}
}

// monitoringEffects are those of values that show only when what they are about
// is switched on.
func monitoringEffects() map[string]func(typed) {
	return map[string]func(typed){
		"prometheus.labels": func(t typed) {
			for _, labels := range []map[string]string{t.monitors[0].Labels, t.podMonitors[0].Labels, t.rules[0].Labels} {
				Expect(labels).To(HaveKeyWithValue("release", "monitoring"))
				Expect(labels).To(HaveKeyWithValue("app.kubernetes.io/name", "tars-operator"), "ours are not the user's")
			}
			t.expectConnected()
		},
		"prometheus.rules.runbookURL": func(t typed) {
			for _, group := range t.rules[0].Spec.Groups {
				for _, rule := range group.Rules {
					Expect(rule.Annotations["runbook_url"]).To(Equal("https://wiki.example.com/tars#" + strings.ToLower(rule.Alert)))
				}
			}
		},
	}
}

var _ = Describe("What the chart makes for Prometheus", func() {
	It("is nothing unless asked for", func() {
		rendered := decode(helmTemplate(nil))
		Expect(rendered.monitors).To(BeEmpty())
		Expect(rendered.podMonitors).To(BeEmpty())
		Expect(rendered.rules).To(BeEmpty())
	})

	It("scrapes external processors of all namespaces, and nothing else", func() {
		spec := decode(helmTemplate(only("prometheus.podMonitor.enabled", true))).podMonitors[0].Spec
		Expect(spec.NamespaceSelector.Any).To(BeTrue())
		Expect(spec.Selector.MatchLabels).To(Equal(map[string]string{"app.kubernetes.io/name": "tars-extproc"}))
		Expect(spec.PodMetricsEndpoints).To(HaveExactElements(HaveField("Port", HaveValue(Equal("metrics")))))
	})

	It("says so when the alerts are missing", func() {
		_, err := installation{values: monitored(), change: func(c *chart.Chart) {
			for _, file := range c.Files {
				if file.Name == "files/prometheus/rules.yaml" {
					file.Data = nil
				}
			}
		}}.template()
		Expect(err).To(MatchError(ContainSubstring("files/prometheus/rules.yaml has no spec")))
	})
})
