// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

const prometheusImage = "docker.io/library/prometheus:e2e"

// monitor is what a ServiceMonitor and a PodMonitor have in common.
type monitor struct {
	Spec struct {
		Selector            metav1.LabelSelector
		Endpoints           []endpoint
		PodMetricsEndpoints []endpoint
	}
}

type endpoint struct {
	Path, Port, Scheme, BearerTokenFile string
	TLSConfig                           struct{ InsecureSkipVerify bool }
}

// fromChart is an object of the chart, with all that is for Prometheus on.
func fromChart(template string, into any) {
	GinkgoHelper()
	version := oneLine(kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.nodeInfo.kubeletVersion}"))
	out := helm("template", "tars-operator", "charts/tars-operator", "--namespace", shared.OperatorNamespace, "--kube-version", version,
		"--set", "prometheus.enabled=true,prometheus.podMonitor.enabled=true,prometheus.rules.enabled=true",
		"--show-only", "templates/prometheus/"+template)
	Expect(yaml.Unmarshal([]byte(out), into)).To(Succeed())
}

// discovery is how Prometheus finds targets: by role, and by the labels of a kind
// of object and the name of a port, as it calls them.
type discovery struct{ role, kind, port string }

// job is what the Prometheus operator makes of a monitor: it finds targets by
// the selector's labels and the port's name.
func job(name string, d discovery, selector metav1.LabelSelector, e endpoint) map[string]any {
	meta := "__meta_kubernetes_"
	keep := func(source, value string) map[string]any {
		return map[string]any{"action": "keep", "source_labels": []string{meta + source}, "regex": value}
	}
	relabel := []any{
		keep(d.port, e.Port),
		map[string]any{"source_labels": []string{meta + "namespace"}, "target_label": "namespace"},
		map[string]any{"source_labels": []string{meta + "pod_name"}, "target_label": "pod"},
	}
	for label, value := range selector.MatchLabels {
		relabel = append(relabel, keep(d.kind+"_label_"+strings.NewReplacer(".", "_", "/", "_", "-", "_").Replace(label), value))
	}
	out := map[string]any{
		"job_name": name, "metrics_path": e.Path, "relabel_configs": relabel,
		"kubernetes_sd_configs": []any{map[string]any{"role": d.role}},
	}
	if e.Scheme != "" {
		out["scheme"] = e.Scheme
		out["bearer_token_file"] = e.BearerTokenFile
		out["tls_config"] = map[string]any{"insecure_skip_verify": e.TLSConfig.InsecureSkipVerify}
	}
	return out
}

// startPrometheus runs the pinned Prometheus in the cluster with the chart's
// monitors and alerts, and returns its address.
func startPrometheus(ctx context.Context) string {
	GinkgoHelper()
	binary, err := lab.Tool(ctx, "prometheus")
	Expect(err).NotTo(HaveOccurred())
	tar := filepath.Join(GinkgoT().TempDir(), "prometheus.tar")
	_, err = lab.Cluster(ctx, "image", "--ref", prometheusImage, "--binary", binary, "--out", tar)
	Expect(err).NotTo(HaveOccurred())
	_, err = lab.Cluster(ctx, "load", "--name", lab.Name, tar)
	Expect(err).NotTo(HaveOccurred())

	var manager, extproc monitor
	fromChart("monitor.yaml", &manager)
	fromChart("extproc_monitor.yaml", &extproc)
	var rules struct {
		Spec map[string]any `json:"spec"`
	}
	fromChart("rules.yaml", &rules)
	settings := map[string]any{
		"global":     map[string]any{"scrape_interval": "1s", "evaluation_interval": "1s"},
		"rule_files": []string{"rules.yaml"},
		"scrape_configs": []any{
			job("manager", discovery{"endpointslice", "service", "endpointslice_port_name"},
				manager.Spec.Selector, manager.Spec.Endpoints[0]),
			job("extproc", discovery{"pod", "pod", "pod_container_port_name"},
				extproc.Spec.Selector, extproc.Spec.PodMetricsEndpoints[0]),
		},
	}
	quoted := func(content any) string {
		GinkgoHelper()
		text, err := yaml.Marshal(content)
		Expect(err).NotTo(HaveOccurred())
		out, err := json.Marshal(string(text))
		Expect(err).NotTo(HaveOccurred())
		return string(out)
	}
	template, err := os.ReadFile("testdata/prometheus.yaml")
	Expect(err).NotTo(HaveOccurred())
	manifests := fmt.Sprintf(string(template), prometheusImage, quoted(settings), quoted(rules.Spec))
	apply("monitoring", manifests)
	DeferCleanup(func() {
		kubectl("delete", "namespace/monitoring", "clusterrole/monitoring-prometheus",
			"clusterrolebinding/monitoring-prometheus", "clusterrolebinding/monitoring-tars-operator-metrics", "--wait=false")
	})
	kubectl("rollout", "status", "-n", "monitoring", "deploy/prometheus", "--timeout=2m")
	address, err := lab.Forward(ctx, "monitoring", "prometheus", 9090)
	Expect(err).NotTo(HaveOccurred())
	return "http://" + address
}

// promQuery is the answer of Prometheus: values by the series' labels.
func promQuery(base, query string) (map[string]float64, error) {
	a, err := get(base+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s: %s", query, answer.Error)
	}
	values := map[string]float64{}
	for _, one := range answer.Data.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(one.Value[1]), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
		values[fmt.Sprint(one.Metric)] = value
	}
	return values, nil
}

var _ = Describe("Prometheus with the chart's monitors", Ordered, func() {
	b := backend{name: "metered", gateway: gatewayName, prefix: "/metered"}
	var base string
	only := func(value float64) types.GomegaMatcher { return And(HaveLen(1), HaveEach(value)) }

	BeforeAll(func(ctx SpecContext) {
		b.namespace = newNamespace("metered")
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)
		base = startPrometheus(ctx)
	}, NodeTimeout(setUpTimeout))

	eventually := func(query string, want types.GomegaMatcher) {
		GinkgoHelper()
		Eventually(func() (map[string]float64, error) { return promQuery(base, query) }).WithTimeout(readyTimeout).Should(want, query)
	}

	It("scrapes the operator with a token, and every external processor", func() {
		eventually(`sum(up{job="manager"})`, only(1))
		eventually(`sum(up{job="extproc",namespace="metered"})`, only(2))
		eventually(`tars_tarsbackend_condition{type="Ready",status="True",tarsbackend="metered/metered"}`, only(1))
		eventually(`count(tars_extproc_config_info{namespace="metered",config_hash="`+
			kubectl("get", "tarsbackend", "-n", b.namespace, b.name, "-o", "jsonpath={.status.extProc.configHash}")+`"})`, only(2))
		eventually(`count(tars_extproc_build_info{namespace="metered",version="`+lab.Version+`"})`, only(2))
	})

	It("has the tokens of the stand-in's ledger", func(ctx SpecContext) {
		const requests = 20
		var input, output float64
		for n := range requests {
			a, err := ask(lab.base+b.prefix, chatBody(chatModel, "metered", n%2 == 0), nil)
			Expect(err).NotTo(HaveOccurred())
			Expect(a.Status).To(Equal(http.StatusOK), a.Body)
			entries, err := lab.standIn.Ledger(ctx, "request_id="+url.QueryEscape(a.Header.Get("x-request-id")))
			Expect(err).NotTo(HaveOccurred())
			Expect(entries).To(HaveLen(1))
			input, output = input+float64(entries[0].Usage.Input), output+float64(entries[0].Usage.Output)
		}
		Expect(input * output).To(BeNumerically(">", 0))
		for kind, want := range map[string]float64{"input": input, "output": output} {
			eventually(`sum(gen_ai_client_token_usage_sum{tarsbackend="metered/metered",gen_ai_token_type="`+kind+`"})`, only(want))
		}
	})

	It("has the tokens of the last streams of pods that a rollout ends", func(ctx SpecContext) {
		const spent = `sum(max_over_time(gen_ai_client_token_usage_sum{tarsbackend="metered/metered",gen_ai_token_type="output"}[1h]))`
		before, err := promQuery(base, spent)
		Expect(err).NotTo(HaveOccurred())
		Expect(before).To(HaveLen(1))
		want := 0.0
		for _, value := range before {
			want = value
		}

		const streams = 6
		type ended struct {
			stream
			err error
		}
		all := make(chan ended, streams)
		for range streams {
			req, err := chatRequest(ctx, lab.base+b.prefix, chatBody(chatModel, "outlives its pod", true), map[string]string{
				"x-fake-duration": "30s", "x-fake-chunks": "30",
			})
			Expect(err).NotTo(HaveOccurred())
			go func() {
				s, err := readStream(req)
				all <- ended{s, err}
			}()
		}
		eventually(`sum(tars_requests_in_flight{tarsbackend="metered/metered"})`, only(streams))
		kubectl("patch", "tarsbackend", "-n", b.namespace, b.name, "--type=merge", "-p", `{"spec":{"models":{"allow":["`+chatModel+`"]}}}`)
		waitReady(b.namespace, b.name)
		for range streams {
			s := <-all
			Expect(s.err).NotTo(HaveOccurred())
			Expect(s.last).To(Equal("[DONE]"))
			entries, err := lab.standIn.Ledger(ctx, "request_id="+url.QueryEscape(s.id))
			Expect(err).NotTo(HaveOccurred())
			Expect(entries).To(HaveLen(1))
			want += float64(entries[0].Usage.Output)
		}
		eventually(spent, only(want))
	})

	It("has no alert about a TarsBackend that is served", func() {
		eventually(`sum(tars_requests_total{tarsbackend="metered/metered",source="none"}) > bool 0`, only(1))
		eventually(`ALERTS{alertname=~"Tars.*",namespace=~"metered|"}`, BeEmpty())
	})
})
