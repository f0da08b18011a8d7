// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"sigs.k8s.io/yaml"
)

// prometheusServer is a running Prometheus.
type prometheusServer struct{ url string }

// sample is one series of an answer.
type sample struct {
	Labels map[string]string
	Value  float64
}

// startPrometheus scrapes both addresses many times a second, as the two
// monitors would have it, and evaluates the alerts.
func startPrometheus(extproc, operator string) *prometheusServer {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	job := func(name, target string, labels map[string]string) map[string]any {
		return map[string]any{"job_name": name, "static_configs": []any{map[string]any{"targets": []string{target}, "labels": labels}}}
	}
	settings, err := yaml.Marshal(map[string]any{
		"global":     map[string]any{"scrape_interval": "200ms", "evaluation_interval": "200ms"},
		"rule_files": []string{plainRules(dir)},
		"scrape_configs": []any{
			job("tars-system/extproc", extproc, map[string]string{"namespace": "team", "pod": "extproc-0"}),
			job("tars-operator", operator, map[string]string{"namespace": "tars-system", "pod": "manager-0"}),
		},
	})
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(dir, "prometheus.yaml")
	Expect(os.WriteFile(path, settings, 0o600)).To(Succeed())
	log := gbytes.NewBuffer()
	cmd := exec.Command(program("prometheus"), "--config.file="+path, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--log.format=json")
	cmd.Dir, cmd.Stderr = dir, io.MultiWriter(log, GinkgoWriter)
	Expect(cmd.Start()).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	DeferCleanup(func() {
		Expect(cmd.Process.Signal(syscall.SIGTERM)).To(Succeed())
		Eventually(ended).WithTimeout(settleTimeout).Should(Receive())
	})
	p := &prometheusServer{}
	listening := regexp.MustCompile(`"msg":"Listening on","component":"web","address":"([^"]+)"`)
	Eventually(func(g Gomega) {
		match := listening.FindSubmatch(log.Contents())
		g.Expect(match).NotTo(BeNil(), "it does not say where it listens: %s", log.Contents())
		p.url = "http://" + string(match[1])
		g.Expect(p.try(context.Background(), `up == 1`)).To(HaveLen(2))
	}).WithTimeout(settleTimeout).WithPolling(poll).Should(Succeed())
	return p
}

// try asks for the value of a query now. An error is Prometheus' own words.
func (p *prometheusServer) try(ctx context.Context, query string) (samples []sample, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/query?query="+url.QueryEscape(query), http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s: %s", query, answer.Error)
	}
	for _, one := range answer.Data.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(one.Value[1]), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
		samples = append(samples, sample{one.Metric, value})
	}
	return samples, nil
}

// query asks for the value of a query that Prometheus has to take.
func (p *prometheusServer) query(ctx context.Context, query string) []sample {
	GinkgoHelper()
	samples, err := p.try(ctx, query)
	Expect(err).NotTo(HaveOccurred())
	return samples
}
