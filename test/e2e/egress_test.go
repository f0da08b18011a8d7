// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

// standInPort is where the stand-in's pod serves TARS's API.
const standInPort = "8443"

// podOf is the one pod with a label.
func podOf(namespace, label string) pod {
	GinkgoHelper()
	names := strings.Fields(kubectl("get", "pods", "-n", namespace, "-l", label, "-o", "jsonpath={.items[*].metadata.name}"))
	Expect(names).To(HaveLen(1))
	return pod{namespace: namespace, name: names[0]}
}

// address is the pod's.
func (p pod) address() string {
	GinkgoHelper()
	return strings.TrimSpace(kubectl("get", "pod", "-n", p.namespace, p.name, "-o", "jsonpath={.status.podIP}"))
}

var _ = Describe("A firewall before TARS", Ordered, ContinueOnFailure, func() {
	b := backend{
		name: "walled", gateway: gatewayName, prefix: "/walled",
		extra: `endpoint: {tls: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: stand-in}]}}}`,
	}
	BeforeAll(func() {
		// The operator's own look dials a private address, as the stand-in has one,
		// only where an administrator allowed the host by its very name. And it
		// trusts what the TarsBackend does, where Envoy's image has further
		// authorities.
		reconfigureOperator("endpoints.allowed={api.router.tetrate.ai}")
		b.namespace = newNamespace("walled")
		ca := kubectl("get", "secret", "-n", shared.StandInNamespace, "tarsfake-tls",
			"-o", `go-template={{index .data "ca.crt" | base64decode}}`)
		kubectl("create", "configmap", "-n", b.namespace, "stand-in", "--from-literal=ca.crt="+ca)
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)
	})

	DescribeTable("is told from a TARS that is down", func(reason string, words []string, everyone bool, jump ...string) {
		eventuallyServed(lab.base + b.prefix)
		standIn := podOf(shared.StandInNamespace, "app=tarsfake")
		process := podProcesses("HOSTNAME", []string{standIn.name})[standIn.name]
		rule := []string{"--protocol", "tcp", "--destination-port", standInPort}
		if everyone { // but the Envoy whose request must not be cut
			rule = append(rule, "!", "--source", envoyPod(patientGateway).address())
		} else {
			rule = append(rule, "--source", envoyPod(gatewayName).address())
		}
		rule = append(append(rule, "--jump"), jump...)
		mended := false
		mend := func() {
			if !mended {
				podFirewall(process, "--delete", rule...)
				mended = true
			}
		}
		DeferCleanup(mend)

		began := time.Now()
		podFirewall(process, "--insert", rule...)
		Eventually(func() string { return readyReason(b.namespace, b.name) }).WithTimeout(noticeTimeout).Should(Equal(reason))
		noticed := time.Since(began)
		Expect(conditionOf(b.namespace, b.name, "UpstreamReachable")).To(Equal("False " + reason))
		message := kubectl("get", "tarsbackend", "-n", b.namespace, b.name, "-o",
			`jsonpath={.status.conditions[?(@.type=="UpstreamReachable")].message}`)
		for _, word := range words {
			Expect(message).To(ContainSubstring(word))
		}
		began = time.Now()
		mend()
		Eventually(func() string { return readyReason(b.namespace, b.name) }).WithTimeout(healTimeout).Should(Equal("Ready"))
		fmt.Fprintf(os.Stderr, "%s: %s noticed after %.1f s, Ready %.1f s after the mend\n",
			CurrentSpecReport().LeafNodeText, reason, noticed.Seconds(), time.Since(began).Seconds())
		eventuallyServed(lab.base + b.prefix)
	},
		Entry("one that drops what the Envoys send", "EnvoyEgressBlocked",
			[]string{"the operator reaches api.router.tetrate.ai:443 and Envoy does not", "NetworkPolicy"}, false, "DROP"),
		Entry("one that rejects what the Envoys send", "EnvoyEgressBlocked",
			[]string{"the operator reaches api.router.tetrate.ai:443 and Envoy does not", "NetworkPolicy"}, false,
			"REJECT", "--reject-with", "tcp-reset"),
		Entry("one that rejects what anyone sends", "ConnectionRefused",
			[]string{"a firewall that rejects"}, true, "REJECT", "--reject-with", "tcp-reset"),
	)
})
