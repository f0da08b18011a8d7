// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// leftBehind is a pod that no rollout replaces.
	leftBehind = "left-behind"
	// xdsPort is where Envoys get their configuration from Envoy Gateway.
	xdsPort = "18000"
	// staysStale is longer than a change takes to reach an Envoy that listens.
	staysStale = 5 * time.Second
)

// twoEnvoys is an EnvoyProxy for Gateways with two Envoys, with the image that
// the local cluster's class has, and a Gateway of it.
func twoEnvoys(name string) string {
	GinkgoHelper()
	image := kubectl("get", "envoyproxy", "-n", "envoy-gateway-system", "local",
		"-o", "jsonpath={.spec.provider.kubernetes.envoyDeployment.container.image}")
	gateway := strings.Replace(gatewayManifest(name), "spec:\n", `spec:
  infrastructure: {parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: `+name+`}}
`, 1)
	return fmt.Sprintf(`---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: %s}
spec:
  provider:
    type: Kubernetes
    kubernetes:
      envoyDeployment: {replicas: 2, container: {image: %q}}
      envoyService: {type: ClusterIP}
`, name, image) + gateway
}

// leaveBehind runs one more replica of a TarsBackend's external processor: of
// the present configuration, behind the same Service, and in no ReplicaSet.
func leaveBehind(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	api := apiClient()
	deployments := &appsv1.DeploymentList{}
	Expect(api.List(ctx, deployments, client.InNamespace(namespace),
		client.MatchingLabels{"gateway.tars.dev/tarsbackend": name})).To(Succeed())
	Expect(deployments.Items).To(HaveLen(1))
	template := deployments.Items[0].Spec.Template
	Expect(api.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: leftBehind, Namespace: namespace, Labels: template.Labels, Annotations: template.Annotations,
		},
		Spec: template.Spec,
	})).To(Succeed())
	kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/"+leftBehind, "--timeout=2m")
}

var _ = Describe("One of several that is behind", Ordered, ContinueOnFailure, func() {
	var namespace string
	BeforeAll(func() { namespace = newNamespace("stale") })

	// expectStale waits until Ready says so, looks that it stays so, and returns
	// how long the first took.
	expectStale := func(name string, words ...string) time.Duration {
		GinkgoHelper()
		began := time.Now()
		Eventually(func() string { return readyReason(namespace, name) }).WithTimeout(healTimeout).Should(Equal("StaleConfiguration"))
		noticed := time.Since(began)
		message := kubectl("get", "tarsbackend", "-n", namespace, name, "-o",
			`jsonpath={.status.conditions[?(@.type=="DataPlaneVerified")].message}`)
		for _, word := range words {
			Expect(message).To(ContainSubstring(word))
		}
		// Each change says so for a moment.
		Consistently(func() string { return readyReason(namespace, name) }).WithTimeout(staysStale).Should(Equal("StaleConfiguration"))
		return noticed
	}
	expectReady := func(name string, within time.Duration) time.Duration {
		GinkgoHelper()
		began := time.Now()
		Eventually(func() string { return readyReason(namespace, name) }).WithTimeout(within).Should(Equal("Ready"))
		return time.Since(began)
	}
	patch := func(name, spec string) {
		kubectl("patch", "tarsbackend", "-n", namespace, name, "--type=merge", "-p", `{"spec":`+spec+`}`)
	}
	tell := func(what string, noticed, healed time.Duration) {
		fmt.Fprintf(os.Stderr, "%s: StaleConfiguration noticed after %.1f s, Ready %.1f s after the mend\n",
			what, noticed.Seconds(), healed.Seconds())
	}

	It("is told: a replica of the external processor", func(ctx SpecContext) {
		b := backend{name: "replica", namespace: namespace, gateway: gatewayName, prefix: "/stale-replica"}
		apply(namespace, b.manifests())
		waitReady(namespace, b.name)
		leaveBehind(ctx, namespace, b.name)
		patch(b.name, `{"models":{"allow":["`+chatModel+`"]}}`)
		// From here the Deployment is as it should be, and only the answers tell.
		Eventually(func() string { return conditionOf(namespace, b.name, "ExtProcAvailable") }).
			WithTimeout(readyTimeout).Should(Equal("True Available"))
		noticed := expectStale(b.name, "a replica of the external processor answers with configuration")
		kubectl("delete", "pod", "-n", namespace, leftBehind, "--wait=false")
		tell("a replica of an older configuration", noticed, expectReady(b.name, healTimeout))
		eventuallyServed(lab.base + b.prefix)
	})

	It("is told: an Envoy", func() {
		b := backend{name: "envoy", namespace: namespace, gateway: "pair", prefix: "/stale-envoy"}
		apply(gatewayNamespace, twoEnvoys(b.gateway))
		DeferCleanup(func() { kubectl("delete", "-n", gatewayNamespace, "gateway/"+b.gateway, "envoyproxy/"+b.gateway) })
		apply(namespace, b.manifests())
		waitReady(namespace, b.name)
		frozen := envoyPod(b.gateway)
		Expect(strings.Fields(kubectl("get", "pods", "-n", frozen.namespace, "-o", "name",
			"-l", "gateway.envoyproxy.io/owning-gateway-name="+b.gateway))).To(HaveLen(2))
		process := podProcesses("ENVOY_POD_NAME", []string{frozen.name})[frozen.name]
		packetRule(process, "--insert", "--protocol", "tcp", "--source-port", xdsPort)
		// A change that replaces no replica of the external processor, which this
		// Envoy would not hear of either.
		patch(b.name, `{"retry":{"attempts":2}}`)
		noticed := expectStale(b.name, frozen.name)
		packetRule(process, "--delete", "--protocol", "tcp", "--source-port", xdsPort)
		tell("an Envoy without the configuration", noticed, expectReady(b.name, healTimeout))
	})
})
