// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// extProcProcesses are those of a TarsBackend's external processors, by the
// pod's name, as this machine numbers them.
func extProcProcesses(namespace, name string) map[string]int {
	GinkgoHelper()
	return podProcesses("POD_NAME", strings.Fields(kubectl("get", "pods", "-n", namespace,
		"-l", "gateway.tars.dev/tarsbackend="+name, "-o", "jsonpath={.items[*].metadata.name}")))
}

// podProcesses are a process of each pod, by the pod's name, as this machine
// numbers them. The variable is one that holds the pod's name in there.
func podProcesses(variable string, pods []string) map[string]int {
	GinkgoHelper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	Expect(err).NotTo(HaveOccurred())
	found := map[string]int{}
	for _, file := range files {
		environment, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		for _, p := range pods {
			if strings.Contains("\x00"+string(environment), "\x00"+variable+"="+p+"\x00") {
				pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
				Expect(err).NotTo(HaveOccurred())
				found[p] = pid
			}
		}
	}
	Expect(found).To(HaveLen(len(pods)), "each pod has a process")
	return found
}

// packetRule inserts or deletes a rule that drops what comes to a process's
// pod and matches.
func packetRule(pid int, action string, match ...string) {
	GinkgoHelper()
	podFirewall(pid, action, append(match, "--jump", "DROP")...)
}

// podFirewall inserts or deletes a rule about what comes to a process's pod.
func podFirewall(pid int, action string, rule ...string) {
	GinkgoHelper()
	must(command{name: "nsenter", args: append([]string{"--target", strconv.Itoa(pid), "--net", "iptables", action, "INPUT"}, rule...)})
}

var _ = Describe("The way to the external processor", Ordered, ContinueOnFailure, func() {
	b := backend{name: "halfway", gateway: gatewayName, prefix: "/halfway"}
	var processes map[string]int

	BeforeAll(func() {
		b.namespace = newNamespace("halfway")
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)
	})
	BeforeEach(func() { processes = extProcProcesses(b.namespace, b.name) })

	signal := func(s syscall.Signal) func(context.Context) {
		return func(context.Context) {
			for _, pid := range processes {
				// One that the kubelet has ended meanwhile is mended, too.
				if err := syscall.Kill(pid, s); err != syscall.ESRCH {
					Expect(err).NotTo(HaveOccurred())
				}
			}
		}
	}
	// packets drops what the Envoy sends to each replica, or stops to. The
	// kubelet's probes still get through.
	packets := func(action string) func(context.Context) {
		return func(context.Context) {
			p := envoyPod(gatewayName)
			envoy := strings.TrimSpace(kubectl("get", "pod", "-n", p.namespace, p.name, "-o", "jsonpath={.status.podIP}"))
			for _, pid := range processes {
				packetRule(pid, action, "--source", envoy)
			}
		}
	}

	DescribeTable("is noticed where it breaks, and when it is mended", func(ctx SpecContext, reasons []string, breaks, mends func(context.Context)) {
		eventuallyServed(lab.base + b.prefix)
		began := time.Now()
		breaks(ctx)
		var reason string
		Eventually(func() string {
			reason = readyReason(b.namespace, b.name)
			return reason
		}).WithTimeout(noticeTimeout).Should(BeElementOf(reasons))
		noticed := time.Since(began)
		began = time.Now()
		mends(ctx)
		Eventually(func() string { return readyReason(b.namespace, b.name) }).WithTimeout(healTimeout).Should(Equal("Ready"))
		fmt.Fprintf(os.Stderr, "%s: %s noticed after %.1f s, Ready %.1f s after the mend\n",
			CurrentSpecReport().LeafNodeText, reason, noticed.Seconds(), time.Since(began).Seconds())
		eventuallyServed(lab.base + b.prefix)
	},
		Entry("replicas that hang", []string{"EnvoyUnreachable", "UnexpectedAnswer", "ExtProcNotAvailable"},
			signal(syscall.SIGSTOP), signal(syscall.SIGCONT)),
		Entry("packets between Envoy and the replicas that are dropped", []string{"EnvoyUnreachable", "UnexpectedAnswer"},
			packets("--insert"), packets("--delete")),
		Entry("a Deployment that somebody scales to nothing, which the operator mends", []string{"ExtProcNotAvailable", "UnexpectedAnswer"},
			func(context.Context) {
				kubectl("scale", "deployment", "-n", b.namespace, b.name+"-extproc", "--replicas=0")
			},
			func(context.Context) {}),
	)

	It("is told when another policy has the route", func() {
		taken := backend{name: "taken", namespace: b.namespace, gateway: gatewayName, prefix: "/taken"}
		apply(b.namespace, `---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata: {name: older}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: taken}]
  timeout: {http: {requestTimeout: 1s}}
`)
		began := time.Now()
		apply(b.namespace, taken.manifests())
		Eventually(func() string { return conditionOf(b.namespace, taken.name, "Programmed") }).Should(Equal("False PolicyNotAccepted"))
		fmt.Fprintf(os.Stderr, "another policy has the route: told after %.1f s\n", time.Since(began).Seconds())
		kubectl("delete", "-n", b.namespace, "backendtrafficpolicy/older")
		Eventually(func() string { return readyReason(b.namespace, taken.name) }).WithTimeout(healTimeout).Should(Equal("Ready"))
	})
})
