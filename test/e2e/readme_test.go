// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/docs/markdown"
)

// readmeState is that of README's steps: an Envoy Gateway and nothing else.
const readmeState = "readme"

// readmeSteps are the shell blocks of README's steps.
func readmeSteps() []string {
	blocks, err := markdown.Blocks(lab.root, "README.md")
	Expect(err).NotTo(HaveOccurred())
	var steps []string
	for _, block := range blocks {
		if block.State == readmeState {
			steps = append(steps, block.Text)
		}
	}
	Expect(steps).To(HaveLen(3))
	return steps
}

var _ = Describe("README", Ordered, func() {
	var before string

	It("leads to an answer, typed word for word", func() {
		before = contents("default")
		helm("uninstall", "tars-operator", "--namespace", "tars-system", "--wait")
		DeferCleanup(installOperator)
		script := "set -euo pipefail\n" + strings.Join(readmeSteps(), "\n")
		out := must(command{
			name: "test/cluster/cluster",
			args: []string{"exec", "--name", lab.Name, "bash", "-c", script},
			// In the cluster's network the apiserver has its own address.
			env: []string{
				"TARS_API_KEY=" + demoKey,
				"KUBECONFIG=" + filepath.Join(filepath.Dir(lab.kubeconfig), "admin.kubeconfig"),
			},
		})
		Expect(out).To(ContainSubstring("tarsbackend.gateway.tars.dev/tars condition met"))
		Expect(out).To(ContainSubstring(`"object":"chat.completion"`))
	})

	It("deletes without a trace", func() {
		kubectl("delete", "tarsbackend/tars", "secret/tars-api-key", "gateway/eg", "-n", "default", "--timeout=2m")
		Eventually(func() string { return contents("default") }).WithTimeout(readyTimeout).Should(Equal(before))
	})
})

// contents names all objects of a namespace but Events, which outlive what
// they are about.
func contents(namespace string) string {
	GinkgoHelper()
	kinds := slices.DeleteFunc(strings.Fields(kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name")),
		func(kind string) bool { return kind == "events" || strings.HasPrefix(kind, "events.") })
	return kubectl("get", "-n", namespace, "-o", "name", strings.Join(kinds, ","))
}
