// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// listenersHost is the host name of the HTTPS listener.
const listenersHost = "llm.example.com"

// policyFor is a ClientTrafficPolicy or SecurityPolicy for a Gateway.
func policyFor(gateway, kind, spec string) string {
	return fmt.Sprintf(`---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: %s
metadata: {name: %s}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: %s}]
%s
`, kind, gateway, gateway, indent(spec))
}

// askTLS sends a chat request to an HTTPS listener.
func askTLS(address string) (answer, error) {
	req, err := chatRequest(context.Background(), "https://"+address, chatBody(chatModel, "secure", false), nil)
	if err != nil {
		return answer{}, err
	}
	req.Host = listenersHost
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		ServerName: listenersHost, InsecureSkipVerify: true,
	}}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return answer{}, err
	}
	return answer{Status: resp.StatusCode}, resp.Body.Close()
}

var _ = Describe("A listener", Ordered, ContinueOnFailure, func() {
	var namespace string
	BeforeAll(func() { namespace = newNamespace("listeners") })

	gatewayOf := func(name, manifest string) backend {
		GinkgoHelper()
		apply(gatewayNamespace, manifest)
		DeferCleanup(func() {
			kubectl("delete", "-n", gatewayNamespace, "--ignore-not-found", "gateway/"+name, "clienttrafficpolicy/"+name, "securitypolicy/"+name)
		})
		b := backend{name: name, namespace: namespace, gateway: name, prefix: "/"}
		apply(namespace, b.manifests())
		waitReady(namespace, b.name)
		return b
	}
	informational := func(b backend) {
		GinkgoHelper()
		kubectl("patch", "tarsbackend", "-n", namespace, b.name, "--type=merge", "-p", `{"spec":{"readiness":{"dataPlane":"Informational"}}}`)
		waitReady(namespace, b.name)
	}
	expectCondition := func(b backend, condition, want string, words ...string) {
		GinkgoHelper()
		Eventually(func() string { return conditionOf(namespace, b.name, condition) }).Should(Equal(want))
		message := kubectl("get", "tarsbackend", "-n", namespace, b.name, "-o",
			fmt.Sprintf(`jsonpath={.status.conditions[?(@.type=="%s")].message}`, condition))
		for _, w := range words {
			Expect(message).To(ContainSubstring(w))
		}
	}

	It("of HTTPS is verified, until it wants a client certificate", func(ctx SpecContext) {
		dir := GinkgoT().TempDir()
		must(command{name: "openssl", args: []string{
			"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + listenersHost,
			"-addext", "subjectAltName=DNS:" + listenersHost, "-keyout", filepath.Join(dir, "tls.key"), "-out", filepath.Join(dir, "tls.crt"),
		}})
		kubectl("create", "secret", "tls", "-n", gatewayNamespace, "listeners", "--cert", filepath.Join(dir, "tls.crt"), "--key", filepath.Join(dir, "tls.key"))
		kubectl("create", "configmap", "-n", gatewayNamespace, "listeners-ca", "--from-file=ca.crt="+filepath.Join(dir, "tls.crt"))
		DeferCleanup(func() { kubectl("delete", "-n", gatewayNamespace, "secret/listeners", "configmap/listeners-ca") })
		b := gatewayOf("secure", fmt.Sprintf(`---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: secure}
spec:
  gatewayClassName: eg
  listeners:
    - {name: https, port: 443, protocol: HTTPS, hostname: %s, allowedRoutes: {namespaces: {from: All}},
       tls: {certificateRefs: [{name: listeners}]}}
`, listenersHost))
		Expect(conditionOf(namespace, b.name, "DataPlaneVerified")).To(Equal("True Verified"))
		Expect(conditionOf(namespace, b.name, "CredentialVerified")).To(Equal("True KeyAccepted"))
		serviceNamespace, service, err := lab.GatewayService(ctx, gatewayNamespace, "secure")
		Expect(err).NotTo(HaveOccurred())
		address, err := lab.Forward(ctx, serviceNamespace, service, 443)
		Expect(err).NotTo(HaveOccurred())
		a, err := askTLS(address)
		Expect(err).NotTo(HaveOccurred())
		Expect(a.Status).To(Equal(http.StatusOK))

		apply(gatewayNamespace, policyFor("secure", "ClientTrafficPolicy", "tls: {clientValidation: {caCertificateRefs: [{kind: ConfigMap, name: listeners-ca}]}}"))
		expectCondition(b, "DataPlaneVerified", "Unknown ProbeNotPossible", "client certificate", "Informational")
		expectCondition(b, "Ready", "Unknown ProbeNotPossible")
		informational(b)
	})

	It("cannot be asked by the PROXY protocol", func() {
		b := gatewayOf("proxied", gatewayManifest("proxied"))
		apply(gatewayNamespace, policyFor("proxied", "ClientTrafficPolicy", "proxyProtocol: {optional: false}"))
		expectCondition(b, "DataPlaneVerified", "Unknown ProbeNotPossible", "PROXY protocol")
		informational(b)
	})

	It("with authentication for every app lets no question of ours through to TARS, and says so", func() {
		b := gatewayOf("guarded", gatewayManifest("guarded"))
		apply(gatewayNamespace, secretManifest("guarded-clients", "client-key")+policyFor("guarded", "SecurityPolicy",
			"apiKeyAuth: {credentialRefs: [{name: guarded-clients}], extractFrom: [{headers: [x-client-key]}]}"))
		DeferCleanup(func() { kubectl("delete", "-n", gatewayNamespace, "secret/guarded-clients") })
		expectCondition(b, "UpstreamReachable", "Unknown ProbeNotPossible", "answers 401 before the request gets to TARS", "Informational")
		expectCondition(b, "DataPlaneVerified", "True Verified")
		informational(b)
	})

	It("of Envoys that a class shares between its Gateways is verified", func() {
		provider := kubectl("get", "envoyproxy", "-n", "envoy-gateway-system", "local", "-o", "jsonpath={.spec.provider}")
		apply("envoy-gateway-system", fmt.Sprintf(`---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: merged}
spec:
  mergeGateways: true
  provider: %s
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: merged}
spec:
  controllerName: gateway.envoyproxy.io/gatewayclass-controller
  parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: merged, namespace: envoy-gateway-system}
`, provider))
		DeferCleanup(func() {
			kubectl("delete", "gatewayclass/merged", "--ignore-not-found")
			kubectl("delete", "-n", "envoy-gateway-system", "envoyproxy/merged", "--ignore-not-found")
		})
		manifest := strings.ReplaceAll(gatewayManifest("merged"), "gatewayClassName: eg", "gatewayClassName: merged")
		b := gatewayOf("merged", manifest)
		Expect(conditionOf(namespace, b.name, "DataPlaneVerified")).To(Equal("True Verified"))
		Expect(conditionOf(namespace, b.name, "UpstreamReachable")).To(Equal("True Reachable"))
	})
})
