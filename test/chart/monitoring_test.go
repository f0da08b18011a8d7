// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/chart"
)

// monitored are the values that switch on all that is for Prometheus and Grafana.
func monitored() values {
	return values{
		"prometheus": values{"enabled": true, "podMonitor": values{"enabled": true}, "rules": values{"enabled": true}},
		"grafana":    values{"dashboard": values{"enabled": true}},
	}
}

// monitoringEffects are those of values that show only when what they are about
// is switched on.
func monitoringEffects() map[string]func(typed) {
	return map[string]func(typed){
		"grafana.dashboard.labels": func(t typed) {
			Expect(t.dashboards[0].Labels).To(HaveKeyWithValue("dashboards", "tars"))
			Expect(t.dashboards[0].Labels).To(HaveKeyWithValue("app.kubernetes.io/name", "tars-operator"), "ours are not the user's")
		},
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
		Expect(rendered.dashboards).To(BeEmpty())
	})

	It("scrapes external processors of all namespaces, and nothing else", func() {
		spec := decode(helmTemplate(only("prometheus.podMonitor.enabled", true))).podMonitors[0].Spec
		Expect(spec.NamespaceSelector.Any).To(BeTrue())
		Expect(spec.Selector.MatchLabels).To(Equal(map[string]string{"app.kubernetes.io/name": "tars-extproc"}))
		Expect(spec.PodMetricsEndpoints).To(HaveExactElements(HaveField("Port", HaveValue(Equal("metrics")))))
	})

	It("has a dashboard that Grafana's sidecar finds, as one file of JSON", func() {
		dashboard := decode(helmTemplate(only("grafana.dashboard.enabled", true))).dashboards[0]
		Expect(dashboard.Labels).To(HaveKeyWithValue("grafana_dashboard", "1"))
		Expect(dashboard.Data).To(HaveLen(1))
		Expect(dashboard.Data["tars-operator.json"]).To(Equal(read(configDir + "/grafana/dashboard.json")))
	})

	DescribeTable("says so when a file is missing",
		func(name, message string) {
			_, err := installation{values: monitored(), change: func(c *chart.Chart) {
				for _, file := range c.Files {
					if file.Name == name {
						file.Data = nil
					}
				}
			}}.template()
			Expect(err).To(MatchError(ContainSubstring(message)))
		},
		Entry("the alerts", "files/prometheus/rules.yaml", "files/prometheus/rules.yaml has no spec"),
		Entry("the dashboard", "files/grafana/dashboard.json", "files/grafana/dashboard.json is missing"),
	)
})
