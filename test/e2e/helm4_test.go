// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

// The release was installed by Helm 3, as the suite's set-up does.
var _ = Describe("The chart", Ordered, func() {
	helm4 := func(args ...string) string {
		GinkgoHelper()
		return must(command{name: "helm4", args: append(args, "--namespace", shared.OperatorNamespace)})
	}
	managers := func() []string {
		GinkgoHelper()
		return strings.Fields(kubectl("get", "pods", "-n", shared.OperatorNamespace, "-l", "control-plane=controller-manager",
			"--field-selector=status.phase=Running", "-o", "name"))
	}

	BeforeAll(func(ctx SpecContext) {
		path, err := lab.Tool(ctx, "helm4")
		Expect(err).NotTo(HaveOccurred())
		lab.tools["helm4"] = path
	}, NodeTimeout(setUpTimeout))

	It("passes helm test of Helm 3, as its users type it", func() {
		out := helm("test", "tars-operator", "--namespace", shared.OperatorNamespace)
		Expect(out).To(MatchRegexp(`Phase: +Succeeded`))
	})

	It("is taken over by Helm 4: upgraded with --wait, and tested", func() {
		helm4("upgrade", "tars-operator", "charts/tars-operator", "--set", "manager.replicas=2", "--wait", "--timeout=3m")
		Expect(managers()).To(HaveLen(2))
		Expect(kubectl("get", "pdb", "-n", shared.OperatorNamespace, "-o", "name")).To(ContainSubstring("tars-operator-controller-manager"))
		Expect(helm4("test", "tars-operator")).To(MatchRegexp(`Phase: +Succeeded`))
		Expect(kubectl("get", "pods", "-n", shared.OperatorNamespace, "-o", "name")).NotTo(ContainSubstring("selftest"), "a pod that succeeded is removed")
	})

	It("is rolled back by Helm 4", func() {
		helm4("rollback", "tars-operator", "--wait", "--timeout=3m")
		Eventually(managers).Should(HaveLen(1))
		Expect(helm4("test", "tars-operator")).To(MatchRegexp(`Phase: +Succeeded`))
	})

	It("is uninstalled and installed again by Helm 4", func() {
		DeferCleanup(installOperator)
		helm4("uninstall", "tars-operator", "--wait", "--timeout=3m")
		Expect(kubectl("get", "crd", "tarsbackends.gateway.tars.dev", "-o", "name")).NotTo(BeEmpty())
		helm4("install", "tars-operator", "charts/tars-operator", "--wait", "--timeout=3m")
		Expect(helm4("test", "tars-operator")).To(MatchRegexp(`Phase: +Succeeded`))
	})
})
