// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/dataplane/harness"
)

// envoy is a running Envoy.
type envoy struct {
	*harness.Envoy
}

// startEnvoy runs Envoy on free ports.
func startEnvoy(c harness.EnvoyConfig) *envoy {
	GinkgoHelper()
	c.Credential = credential
	started, err := harness.StartEnvoy(context.Background(), options(), c)
	Expect(err).NotTo(HaveOccurred())
	return &envoy{started}
}

func (e *envoy) kill() {
	GinkgoHelper()
	Expect(e.Kill()).To(Succeed())
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
		data, err := os.ReadFile(e.AccessLog)
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
