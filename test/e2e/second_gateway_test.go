// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Names of a second installation of Envoy Gateway.
const (
	// second is that of its Helm release, its GatewayClass and its Gateway.
	second           = "second"
	secondNamespace  = "envoy-gateway-second"
	firstController  = "gateway.envoyproxy.io/gatewayclass-controller"
	secondController = "gateway.example.com/second"
)

// installSecond installs an Envoy Gateway beside the first one, or changes it.
// It has a controller name of its own and runs Envoys in their Gateway's
// namespace.
func installSecond(ctx context.Context, backendAPI bool) {
	GinkgoHelper()
	chart, err := lab.Tool(ctx, "gateway-chart")
	Expect(err).NotTo(HaveOccurred())
	helm("upgrade", "--install", second, chart, "--namespace", secondNamespace, "--create-namespace", "--wait",
		// The CRDs are the cluster's already. The webhook would outlive the release.
		"--set", "crds.enabled=false,topologyInjector.enabled=false",
		"--set", "config.envoyGateway.gateway.controllerName="+secondController,
		"--set", "config.envoyGateway.provider.kubernetes.deploy.type=GatewayNamespace",
		"--set", fmt.Sprintf("config.envoyGateway.extensionApis.enableBackend=%t", backendAPI))
}

// restartSecond lets the second Envoy Gateway read its configuration again.
func restartSecond() {
	GinkgoHelper()
	kubectl("rollout", "restart", "-n", secondNamespace, "deployment/envoy-gateway")
	kubectl("rollout", "status", "-n", secondNamespace, "deployment/envoy-gateway", "--timeout=2m")
}

// secondClass is the second Envoy Gateway's class, with the image and the
// Service that the local cluster's has.
func secondClass() string {
	GinkgoHelper()
	image := kubectl("get", "envoyproxy", "-n", "envoy-gateway-system", "local",
		"-o", "jsonpath={.spec.provider.kubernetes.envoyDeployment.container.image}")
	return fmt.Sprintf(`---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: %[1]s}
spec:
  controllerName: %[2]s
  parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: %[1]s, namespace: %[3]s}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: %[1]s}
spec:
  provider:
    type: Kubernetes
    kubernetes: {envoyDeployment: {container: {image: %[4]q}}, envoyService: {type: ClusterIP}}
`, second, secondController, secondNamespace, image)
}

// admits says whether a NetworkPolicy lets a pod ask at a port.
func admits(ctx context.Context, policy *networkingv1.NetworkPolicy, from *corev1.Pod, port int) bool {
	GinkgoHelper()
	namespace := &corev1.Namespace{}
	Expect(apiClient().Get(ctx, client.ObjectKey{Name: from.Namespace}, namespace)).To(Succeed())
	matches := func(selector *metav1.LabelSelector, of map[string]string) bool {
		GinkgoHelper()
		s, err := metav1.LabelSelectorAsSelector(selector)
		Expect(err).NotTo(HaveOccurred())
		return s.Matches(labels.Set(of))
	}
	for _, rule := range policy.Spec.Ingress {
		for _, p := range rule.Ports {
			for _, peer := range rule.From {
				if p.Port.IntValue() == port && matches(peer.NamespaceSelector, namespace.Labels) && matches(peer.PodSelector, from.Labels) {
					return true
				}
			}
		}
	}
	return false
}

// parentCondition is what a TarsBackend's status says of one Gateway.
func parentCondition(b backend, gateway, condition string) string {
	GinkgoHelper()
	return kubectl("get", "tarsbackend", "-n", b.namespace, b.name, "-o", fmt.Sprintf(
		`jsonpath={range .status.parents[?(@.parentRef.name=="%s")].conditions[?(@.type=="%s")]}{.status} {.reason}{end}`, gateway, condition))
}

// served asks once, as the first request after Ready.
func served(base string) {
	GinkgoHelper()
	a, err := ask(base, chatBody(chatModel, "first", false), nil)
	Expect(err).NotTo(HaveOccurred())
	Expect(a.Status).To(Equal(http.StatusOK), a.Body)
}

var _ = Describe("A second Envoy Gateway", Ordered, ContinueOnFailure, func() {
	// One has a Gateway of each, the other one of the second alone.
	both := backend{name: "both", gateway: gatewayName, also: second, prefix: "/both"}
	alone := backend{name: "alone", gateway: second, prefix: "/alone"}
	var base string

	BeforeAll(func(ctx SpecContext) {
		installSecond(ctx, true)
		apply(secondNamespace, secondClass())
		apply(gatewayNamespace, strings.ReplaceAll(gatewayManifest(second), "gatewayClassName: eg", "gatewayClassName: "+second))
		DeferCleanup(func() {
			// In this order: it takes its Envoys and its finalizer away itself.
			kubectl("delete", "gateway", "-n", gatewayNamespace, second, "--timeout=2m")
			kubectl("delete", "gatewayclass", second, "--timeout=2m")
			helm("uninstall", second, "--namespace", secondNamespace, "--wait")
			kubectl("delete", "namespace", secondNamespace, "--wait=false")
		})
		kubectl("wait", "-n", gatewayNamespace, "--for=condition=Programmed", "gateway/"+second, "--timeout=3m")
		base = "http://" + forwardGateway(ctx, second)
		both.namespace = newNamespace("second")
		alone.namespace = both.namespace
		apply(both.namespace, both.manifests()+alone.manifests())
	}, NodeTimeout(setUpTimeout))

	expectReady := func(within time.Duration) time.Duration {
		GinkgoHelper()
		began := time.Now()
		for _, b := range []backend{both, alone} {
			Eventually(func() string { return readyReason(b.namespace, b.name) }).WithTimeout(within).Should(Equal("Ready"))
		}
		return time.Since(began)
	}

	It("is another implementation to an operator that does not know its name", func() {
		for _, b := range []backend{both, alone} {
			Eventually(func() string { return readyReason(b.namespace, b.name) }).Should(Equal("NotEnvoyGateway"))
			Expect(conditionOf(b.namespace, b.name, "Accepted")).To(Equal("False NotEnvoyGateway"))
			Expect(parentCondition(b, second, "Accepted")).To(Equal("False NotEnvoyGateway"))
			Expect(kubectl("get", "tarsbackend", "-n", b.namespace, b.name, "-o",
				`jsonpath={.status.conditions[?(@.type=="Ready")].message}`)).
				To(And(ContainSubstring("Gateway default/second"), ContainSubstring(secondController), ContainSubstring("--gateway-controller-names")))
		}
		Eventually(func() string { return parentCondition(both, gatewayName, "Programmed") }).
			WithTimeout(readyTimeout).Should(Equal("True Programmed"))
		Expect(kubectl("get", "httproute", "-n", both.namespace, "-o", `jsonpath={range .items[*]}{.metadata.name}: {.spec.parentRefs[*].name} {end}`)).
			To(Equal("both: "+gatewayName+" "), "the route of one names the first Gateway alone, the other has none")
		Expect(kubectl("get", "httproute", "-n", both.namespace, "-o", "jsonpath={.items[*].status.parents[*].controllerName}")).
			To(Equal(firstController))
		eventuallyServed(lab.base + both.prefix)
	})

	Context("that the operator knows", func() {
		var begun time.Time
		BeforeAll(func() {
			begun = time.Now()
			reconfigureOperator("gatewayControllerNames={" + firstController + "," + secondController + "}")
		})

		It("is served, from the first request on", func() {
			waitReady(alone.namespace, alone.name)
			served(base + alone.prefix)
			waitReady(both.namespace, both.name)
			ready := time.Since(begun)
			served(base + both.prefix)
			served(lab.base + both.prefix)
			fmt.Fprintf(os.Stderr, "a second Envoy Gateway: Ready %.1f s after helm upgrade of the operator began\n", ready.Seconds())
			for _, b := range []backend{both, alone} {
				Expect(conditionOf(b.namespace, b.name, "DataPlaneVerified")).To(Equal("True Verified"))
				Expect(parentCondition(b, second, "Accepted")).To(Equal("True Accepted"))
				Expect(parentCondition(b, second, "Programmed")).To(Equal("True Programmed"))
			}
			Expect(parentCondition(both, gatewayName, "Accepted")).To(Equal("True Accepted"))
			Expect(parentCondition(both, gatewayName, "Programmed")).To(Equal("True Programmed"))
			Expect(kubectl("get", "httproute", "-n", both.namespace, both.name, "-o", "jsonpath={.status.parents[*].controllerName}")).
				To(And(ContainSubstring(firstController), ContainSubstring(secondController)))
		})

		It("has its Envoys in their Gateway's namespace, and the external processor lets them in", func(ctx SpecContext) {
			port, err := strconv.Atoi(kubectl("get", "service", "-n", both.namespace, both.name+"-extproc", "-o", `jsonpath={.spec.ports[?(@.name=="grpc")].port}`))
			Expect(err).NotTo(HaveOccurred())
			for gateway, namespace := range map[string]string{gatewayName: "envoy-gateway-system", second: gatewayNamespace} {
				p := envoyPod(gateway)
				Expect(p.namespace).To(Equal(namespace))
				envoy, policy := &corev1.Pod{}, &networkingv1.NetworkPolicy{}
				Expect(apiClient().Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: p.name}, envoy)).To(Succeed())
				Expect(apiClient().Get(ctx, client.ObjectKey{Namespace: both.namespace, Name: both.name + "-extproc"}, policy)).To(Succeed())
				Expect(admits(ctx, policy, envoy, port)).To(BeTrue(), "Envoy %s/%s of Gateway %s", p.namespace, p.name, gateway)
				stranger := envoy.DeepCopy()
				stranger.Labels = map[string]string{"app": "stranger"}
				Expect(admits(ctx, policy, stranger, port)).To(BeFalse())
			}
		})

		It("is not taken for the first one when it refuses", func() {
			listeners := func(from string) {
				kubectl("patch", "gateway", "-n", gatewayNamespace, second, "--type=json",
					"-p", `[{"op":"replace","path":"/spec/listeners/0/allowedRoutes/namespaces/from","value":"`+from+`"}]`)
			}
			DeferCleanup(func() { listeners("All") })
			began := time.Now()
			listeners("Same")
			for _, b := range []backend{both, alone} {
				Eventually(func() string { return readyReason(b.namespace, b.name) }).WithTimeout(healTimeout).Should(Equal("ListenerRefused"))
			}
			noticed := time.Since(began)
			Expect(parentCondition(both, second, "Accepted")).To(Equal("False ListenerRefused"))
			Expect(parentCondition(both, gatewayName, "Accepted")).To(Equal("True Accepted"))
			Expect(parentCondition(both, gatewayName, "Programmed")).To(Equal("True Programmed"))
			served(lab.base + both.prefix)
			listeners("All")
			fmt.Fprintf(os.Stderr, "one of two Envoy Gateways refuses: ListenerRefused noticed after %.1f s, Ready %.1f s after the mend\n",
				noticed.Seconds(), expectReady(healTimeout).Seconds())
		})

		It("is told from the first one when its Backend API is switched off under traffic", func(ctx SpecContext) {
			disabled := func() string {
				return kubectl("get", "httproute", "-n", alone.namespace, alone.name, "-o",
					`jsonpath={.status.parents[*].conditions[?(@.type=="ResolvedRefs")].message}`)
			}
			first := startTraffic(lab.base + both.prefix)
			there := startLoad(loadPlan{Clients: 2, Pause: 20 * time.Millisecond, Request: func(ctx context.Context, _ int) (*http.Request, error) {
				return chatRequest(ctx, base+alone.prefix, chatBody(chatModel, "backend API", false), nil)
			}})
			mended := false
			mend := func(ctx SpecContext) {
				if !mended {
					installSecond(ctx, true)
					restartSecond()
					mended = true
				}
			}
			DeferCleanup(mend, NodeTimeout(setUpTimeout))

			installSecond(ctx, false)
			restartSecond()
			// What the operator has to go by is Envoy Gateway's word, which comes only
			// once the new one leads.
			Eventually(disabled).WithTimeout(readyTimeout).Should(ContainSubstring("Backend is disabled"))
			began := time.Now()
			for _, b := range []backend{both, alone} {
				Eventually(func() string { return readyReason(b.namespace, b.name) }).WithTimeout(healTimeout).Should(Equal("BackendAPIDisabled"))
				Expect(conditionOf(b.namespace, b.name, "ResolvedRefs")).To(Equal("False BackendAPIDisabled"))
				Expect(kubectl("get", "tarsbackend", "-n", b.namespace, b.name, "-o",
					`jsonpath={.status.conditions[?(@.type=="Ready")].message}`)).
					To(And(ContainSubstring("Gateway default/second"), ContainSubstring("config.envoyGateway.extensionApis.enableBackend=true")))
			}
			noticed := time.Since(began)
			a, err := ask(base+alone.prefix, chatBody(chatModel, "off", false), nil)
			Expect(err).NotTo(HaveOccurred())
			Expect(a.Status).To(Equal(http.StatusServiceUnavailable), a.Body)
			Expect(a.Header.Get("content-type")).To(HavePrefix("application/json"), a.Body)

			mend(ctx)
			Eventually(disabled).WithTimeout(readyTimeout).ShouldNot(ContainSubstring("Backend is disabled"))
			healed := expectReady(healTimeout)
			served(base + alone.prefix)
			served(base + both.prefix)
			fmt.Fprintf(os.Stderr, "Backend API off: BackendAPIDisabled %.1f s after Envoy Gateway said so, Ready %.1f s after it said that it is on again\n",
				noticed.Seconds(), healed.Seconds())
			fmt.Fprintf(os.Stderr, "requests through the Envoy Gateway whose Backend API was off for a while: %s\n", there.stop())
			first.expectUnharmed("the Backend API of another Envoy Gateway off and on")
		}, NodeTimeout(setUpTimeout))
	})
})
