// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// readmeSteps are the shell blocks between README's marks.
func readmeSteps() []string {
	content, err := os.ReadFile(filepath.Join(lab.root, "README.md"))
	Expect(err).NotTo(HaveOccurred())
	marked := regexp.MustCompile(`(?s)<!-- e2e: the end-to-end.*?<!-- e2e: end -->`).FindString(string(content))
	Expect(marked).NotTo(BeEmpty(), "README has lost the marks around its steps")
	var steps []string
	for _, match := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(marked, -1) {
		steps = append(steps, match[1])
	}
	Expect(steps).To(HaveLen(3))
	return steps
}

var _ = Describe("README", Ordered, func() {
	It("leads to an answer, typed word for word", func() {
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
		kubectl("delete", "tarsbackend/tars", "secret/tars-api-key", "-n", "default", "--timeout=2m")
		Eventually(func() string {
			return kubectl("get", "-n", "default", "-o", "name", "-l", "app.kubernetes.io/managed-by=tars-operator",
				"secret,configmap,serviceaccount,service,deployment,poddisruptionbudget,networkpolicy,pod,"+
					"httproute,backend,httproutefilter,envoyextensionpolicy,backendtrafficpolicy")
		}).WithTimeout(readyTimeout).Should(BeEmpty())
	})
})
