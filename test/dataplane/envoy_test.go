// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

//go:embed testdata/envoy.yaml.tmpl
var envoyTemplate string

// envoyRoute is one TarsBackend in Envoy's configuration.
type envoyRoute struct {
	Name, Prefix, Token, Cluster, Processor string
	Secured                                 bool
}

// envoyUpstream is a cluster that a route may lead to.
type envoyUpstream struct {
	Port string
	CA   string // path; empty: plain HTTP/1.1
}

// envoyConfig fills the template.
type envoyConfig struct {
	AccessLog, Secret string
	Routes            []envoyRoute
	ExtProcPorts      map[string]string
	Upstreams         map[string]envoyUpstream
}

// Processors are the names of the external processors.
func (c envoyConfig) Processors() []string {
	var names []string
	for name := range c.ExtProcPorts {
		names = append(names, name)
	}
	return names
}

// envoy is a running Envoy.
type envoy struct {
	*process

	address   string
	accessLog string
}

// envoyBinary finds Envoy, or says how to get it.
func envoyBinary() string {
	GinkgoHelper()
	if path := os.Getenv("TARS_TEST_ENVOY"); path != "" {
		return path
	}
	out, err := exec.Command(filepath.Join("..", "cluster", "cluster"), "tool", "envoy").Output()
	Expect(err).NotTo(HaveOccurred(), "no Envoy: set TARS_TEST_ENVOY to the path of an Envoy 1.39 binary, or mend 'test/cluster/cluster tool envoy'")
	return strings.TrimSpace(string(out))
}

// startEnvoy runs Envoy on free ports.
func startEnvoy(c envoyConfig) *envoy {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	c.AccessLog = filepath.Join(dir, "access.log")
	secret, err := filepath.Abs(filepath.Join("testdata", "secret.yaml"))
	Expect(err).NotTo(HaveOccurred())
	c.Secret = secret
	path := filepath.Join(dir, "envoy.yaml")
	file, err := os.Create(path)
	Expect(err).NotTo(HaveOccurred())
	parsed, err := template.New("envoy").Parse(envoyTemplate)
	Expect(err).NotTo(HaveOccurred())
	Expect(parsed.Execute(file, c)).To(Succeed())
	Expect(file.Close()).To(Succeed())

	admin := filepath.Join(dir, "admin")
	e := &envoy{accessLog: c.AccessLog, process: start("envoy", exec.Command(envoyBinary(), "-c", path, "--admin-address-path", admin,
		"--use-dynamic-base-id", "--concurrency", "2", "--file-flush-interval-msec", "20", "--log-level", "warning"))}
	Eventually(func(g Gomega) {
		g.Expect(e.ended()).To(BeFalse(), "Envoy ended: %s", e.output.String())
		address, err := os.ReadFile(admin)
		g.Expect(err).NotTo(HaveOccurred())
		e.address, err = listener(string(address))
		g.Expect(err).NotTo(HaveOccurred())
	}).WithTimeout(startTimeout).WithPolling(poll).Should(Succeed())
	return e
}

// listener asks the admin port for the address of the only listener, once
// Envoy is live.
func listener(admin string) (string, error) {
	var ready struct {
		State string `json:"state"`
	}
	if err := fetchJSON("http://"+admin+"/server_info", &ready); err != nil || ready.State != "LIVE" {
		return "", fmt.Errorf("Envoy is %q: %w", ready.State, err)
	}
	var listeners struct {
		Statuses []struct {
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := fetchJSON("http://"+admin+"/listeners?format=json", &listeners); err != nil || len(listeners.Statuses) != 1 {
		return "", fmt.Errorf("%d listeners: %w", len(listeners.Statuses), err)
	}
	socket := listeners.Statuses[0].Address.Socket
	return fmt.Sprintf("%s:%d", socket.Address, socket.Port), nil
}

func fetchJSON(url string, into any) error {
	resp, err := http.Get(url)
	if err != nil {
		return fmt.Errorf("getting %s: %w", url, err)
	}
	err = json.NewDecoder(resp.Body).Decode(into)
	if closeErr := resp.Body.Close(); closeErr != nil && err == nil {
		err = closeErr
	}
	return err
}

// fetch gets a page that must be there.
func fetch(url string) string {
	GinkgoHelper()
	resp, err := http.Get(url)
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(resp.Body.Close()).To(Succeed()) }()
	body, err := io.ReadAll(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	return string(body)
}

// logged is one line of the access log.
type logged struct {
	ID      string         `json:"id"`
	Code    int            `json:"code"`
	Details string         `json:"details"`
	Tars    map[string]any `json:"tars"`
}

// line returns the access log's line of a request id, once it is written.
func (e *envoy) line(id string) logged {
	GinkgoHelper()
	var found logged
	Eventually(func(g Gomega) {
		data, err := os.ReadFile(e.accessLog)
		g.Expect(err).NotTo(HaveOccurred())
		for text := range strings.Lines(string(data)) {
			var entry logged
			g.Expect(json.Unmarshal([]byte(text), &entry)).To(Succeed())
			if entry.ID == id {
				found = entry
			}
		}
		g.Expect(found.ID).To(Equal(id), "the access log has no line for %s", id)
	}).WithTimeout(startTimeout).WithPolling(poll).Should(Succeed())
	return found
}
