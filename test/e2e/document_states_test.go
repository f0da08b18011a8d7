// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

// documentPolicies are what a platform team has beside the TarsBackend. They
// concern no request of the documents.
const documentPolicies = `---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: apps}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: eg}]
  cors: {allowOrigins: ["https://apps.example.com"]}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata: {name: apps}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: eg}]
  rateLimit:
    type: Local
    local:
      rules: [{clientSelectors: [{headers: [{name: x-limited, value: "yes"}]}], limit: {requests: 1, unit: Hour}}]
`

// operatorImageInUse is the image of the manager and the external processors.
func operatorImageInUse() string {
	GinkgoHelper()
	return strings.TrimSpace(kubectl("get", "deployment", "-n", shared.OperatorNamespace, "-l", "app.kubernetes.io/name=tars-operator",
		"-o", "jsonpath={.items[0].spec.template.spec.containers[0].image}"))
}

// documentStates are the states of the cluster that blocks of the documents
// name, and what makes them.
func documentStates(d *desk) map[string]func() {
	sample, err := os.ReadFile(filepath.Join(lab.root, "config/samples/gateway_v1alpha1_tarsbackend.yaml"))
	Expect(err).NotTo(HaveOccurred())
	address := ""
	team := func(more ...string) {
		GinkgoHelper()
		apply(documentNamespace, string(sample)+strings.Join(more, ""))
		waitReady(documentNamespace, "tars")
		if address == "" {
			namespace, service, err := lab.GatewayService(context.Background(), documentNamespace, "eg")
			Expect(err).NotTo(HaveOccurred())
			address, err = lab.Forward(context.Background(), namespace, service, 80)
			Expect(err).NotTo(HaveOccurred())
		}
	}
	return map[string]func(){
		// The sample is Ready, with an Envoy of its own.
		"team": func() { team() },
		// The same, before the fields are tried one by one; what an example needs
		// beside the TarsBackend is at hand.
		"fields": func() {
			team()
			ca := kubectl("get", "secret", "-n", shared.StandInNamespace, "tarsfake-tls", "-o", `go-template={{index .data "ca.crt" | base64decode}}`)
			Expect(os.WriteFile(filepath.Join(d.dir, "ca.crt"), []byte(ca), 0o600)).To(Succeed())
		},
		// TARS has answered an app that there are no credits left.
		"no-credits": func() {
			team()
			a, err := ask("http://"+address, chatBody(chatModel, "credits", false), map[string]string{"x-fake-error": "402"})
			Expect(err).NotTo(HaveOccurred())
			Expect(a.Status).To(Equal(http.StatusPaymentRequired), a.Body)
		},
		// An app has begun a body and sends no more of it.
		"stalled": func() {
			team()
			ctx, cancel := context.WithCancel(context.Background())
			DeferCleanup(cancel)
			go func() { _, _ = dawdle(ctx, address, "/v1/chat/completions") }()
		},
		// An app has hung up before its answer.
		"hung-up": func() {
			team()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			req, err := chatRequest(ctx, "http://"+address, chatBody(chatModel, "patience", false), map[string]string{"x-fake-delay": "10s"})
			Expect(err).NotTo(HaveOccurred())
			_, err = do(req)
			Expect(err).To(MatchError(context.DeadlineExceeded))
		},
		// The platform has policies of its own on the Gateway.
		"policies": func() {
			team()
			apply(documentNamespace, documentPolicies)
		},
		// The sample has a limit of its own.
		"small-bodies":  func() { team("  requestBody: {maxSize: 8Ki}\n") },
		"short-of-time": func() { team("  timeouts: {request: 30m}\n") },
		// There is a TarsBackend whose Secret is missing.
		"no-secret": func() {
			b := backend{name: "tars", gateway: gatewayName, prefix: "/no-secret", namespace: newNamespace("team-b")}
			apply(b.namespace, b.manifest())
			Eventually(func() string { return readyReason(b.namespace, b.name) }).Should(Equal("SecretNotFound"))
		},
	}
}
