// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
