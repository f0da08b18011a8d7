// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// pod names a pod.
type pod struct{ namespace, name string }

// envoyPod is the Envoy of a Gateway.
func envoyPod(gateway string) pod {
	GinkgoHelper()
	out := kubectl("get", "pods", "--all-namespaces", "-l",
		"gateway.envoyproxy.io/owning-gateway-namespace="+gatewayNamespace+",gateway.envoyproxy.io/owning-gateway-name="+gateway,
		"-o", `jsonpath={.items[0].metadata.namespace} {.items[0].metadata.name}`)
	namespace, name, found := strings.Cut(strings.TrimSpace(out), " ")
	Expect(found).To(BeTrue(), "Gateway %s has no Envoy", gateway)
	return pod{namespace: namespace, name: name}
}

// listenerModified is how often Envoy replaced a listener, which drains the
// connections of every app on it.
func listenerModified(gateway string) int {
	GinkgoHelper()
	return envoyCounter(gateway, "envoy_listener_manager_listener_modified")
}

// envoyCounter reads one counter from Envoy's Prometheus port.
func envoyCounter(gateway, name string) int {
	GinkgoHelper()
	p := envoyPod(gateway)
	ip := strings.TrimSpace(kubectl("get", "pod", "-n", p.namespace, p.name, "-o", "jsonpath={.status.podIP}"))
	out := inCluster("bash", "-c", fmt.Sprintf(
		"set -o pipefail; curl --silent --fail --max-time 10 http://%s:19001/stats/prometheus | grep '^%s{}'", ip, name))
	_, value, found := strings.Cut(strings.TrimSpace(out), " ")
	Expect(found).To(BeTrue(), "Envoy has no counter %s", name)
	count, err := strconv.Atoi(value)
	Expect(err).NotTo(HaveOccurred())
	return count
}

// extProcBuffers are how many bytes Envoy may buffer of a connection to the external
// processor of a TarsBackend, by its configuration.
func extProcBuffers(ctx context.Context, b backend) []int {
	GinkgoHelper()
	p := envoyPod(b.gateway)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	admin, err := lab.PortForward(ctx, p.namespace, "pod/"+p.name, 19000)
	Expect(err).NotTo(HaveOccurred())
	a, err := get("http://"+admin+"/config_dump?resource=dynamic_active_clusters", nil)
	Expect(err).NotTo(HaveOccurred())
	var dump struct {
		Configs []struct {
			Cluster struct {
				Name   string `json:"name"`
				Buffer int    `json:"per_connection_buffer_limit_bytes"`
			} `json:"cluster"`
		} `json:"configs"`
	}
	Expect(json.Unmarshal([]byte(a.Body), &dump)).To(Succeed())
	var limits []int
	for _, c := range dump.Configs {
		if strings.Contains(c.Cluster.Name, "/"+b.namespace+"/"+b.name+"/extproc/") {
			limits = append(limits, c.Cluster.Buffer)
		}
	}
	return limits
}

// inCluster runs a command in the cluster's network.
func inCluster(args ...string) string {
	GinkgoHelper()
	return must(command{name: "test/cluster/cluster", args: append([]string{"exec", "--name", lab.Name}, args...)})
}

// reached is how many inference requests reached the stand-in.
func reached() int {
	GinkgoHelper()
	entries, err := lab.standIn.Ledger(context.Background(), "path=/v1/chat/completions")
	Expect(err).NotTo(HaveOccurred())
	return len(entries)
}

// eventuallyServed waits until a TarsBackend serves.
func eventuallyServed(base string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		a, err := ask(base, chatBody(chatModel, "hello", false), nil)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(a.Status).To(Equal(http.StatusOK), a.Body)
	}).Should(Succeed())
}
