// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

// nextTag is the tag of an image that differs from the installed one.
const nextTag = "e2e-next"

// extProcImages are the images of a TarsBackend's external processor pods.
func extProcImages(b backend) string {
	GinkgoHelper()
	return kubectl("get", "pods", "-n", b.namespace, "-l", "app.kubernetes.io/managed-by=tars-operator",
		"-o", `jsonpath={range .items[?(@.status.phase=="Running")]}{.spec.containers[0].image}{"\n"}{end}`)
}

var _ = Describe("A release", Ordered, func() {
	b := backend{name: "release", gateway: gatewayName, prefix: "/release"}
	var base string
	var listener int

	BeforeAll(func(ctx SpecContext) {
		tar, _, err := lab.BuildOperatorImage(ctx, lab.root, nextTag)
		Expect(err).NotTo(HaveOccurred())
		_, err = lab.Cluster(ctx, "load", "--name", lab.Name, tar)
		Expect(err).NotTo(HaveOccurred())
		b.namespace = newNamespace("release")
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)
		base = lab.base + b.prefix
		listener = listenerModified(gatewayName)
	}, NodeTimeout(setUpTimeout))

	// Whatever happens to the operator's release, its objects serve on.
	expectServing := func(image string) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			images := strings.Fields(extProcImages(b))
			g.Expect(images).To(And(HaveLen(2), HaveEach(HaveSuffix(image))))
		}).WithTimeout(readyTimeout).Should(Succeed())
		waitReady(b.namespace, b.name)
		Expect(listenerModified(gatewayName)).To(Equal(listener))
	}

	It("is upgraded under load without a request lost or a stream cut", func() {
		t := startTraffic(base)
		helm("upgrade", "tars-operator", "charts/tars-operator", "--namespace", shared.OperatorNamespace,
			"--set", "manager.image.tag="+nextTag, "--wait")
		expectServing(":" + nextTag)
		t.expectUnharmed("helm upgrade")
	})

	It("is rolled back under load without a request lost or a stream cut", func() {
		t := startTraffic(base)
		helm("rollback", "tars-operator", "--namespace", shared.OperatorNamespace, "--wait")
		expectServing(":" + lab.Version)
		t.expectUnharmed("helm rollback")
	})

	It("is uninstalled while traffic flows on, and found again", func() {
		t := startTraffic(base)
		helm("uninstall", "tars-operator", "--namespace", shared.OperatorNamespace, "--wait")
		DeferCleanup(installOperator)
		Eventually(func() string { return kubectl("get", "pods", "-n", shared.OperatorNamespace, "-o", "name") }).Should(BeEmpty())
		Expect(kubectl("get", "crd", "tarsbackends.gateway.tars.dev", "-o", "name")).NotTo(BeEmpty())
		Expect(kubectl("get", "tarsbackend", "-n", b.namespace, b.name, "-o", "name")).NotTo(BeEmpty())
		t.expectUnharmed("helm uninstall")

		again := startTraffic(base)
		installOperator()
		// Something to do shows that it is reconciled again.
		kubectl("patch", "tarsbackend", "-n", b.namespace, b.name, "--type=merge", "-p", `{"spec":{"models":{"allow":["`+chatModel+`"]}}}`)
		expectServing(":" + lab.Version)
		again.expectUnharmed("helm install over what an earlier release left")
	})
})
