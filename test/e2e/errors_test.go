// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/dataplane/errorcase"
	shared "github.com/tars-operator/tars-operator/test/lab"
)

// errorsGateway has a Gateway of its own for its policies.
const errorsGateway = "errors"

// droppedPort is a port of the node that drops every packet.
const droppedPort = 9999

// errorBackends are the TarsBackends of errorcase.
func errorBackends(namespace string) []backend {
	var all []backend
	for prefix, extra := range map[string]string{
		"narrow": "models: {allow: [gpt-4o-mini, \"claude-*\"], aliases: [{name: fast, model: xai/grok-4.5}]}\n" +
			"requestBody: {maxSize: 1Ki}",
		"free": "", "secured": "", "limited-openai": "", "limited-anthropic": "", "unprocessed": "",
		"empty":     "endpoint: {hostname: nowhere.tetrate.ai}",
		"dead":      "endpoint: {hostname: dead.tetrate.ai, port: 444}",
		"blackhole": fmt.Sprintf("endpoint: {hostname: blackhole.tetrate.ai, port: %d}\ntimeouts: {connect: 1s}", droppedPort),
		"hurried":   "timeouts: {request: 500ms}",
		"impatient": "timeouts: {streamIdle: 500ms}",
	} {
		all = append(all, backend{name: prefix, namespace: namespace, gateway: errorsGateway, prefix: "/" + prefix, extra: extra})
	}
	return all
}

// errorLimit is the platform's limit of requests that ask for it.
const errorLimit = `---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata: {name: errors}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: errors}]
  rateLimit:
    type: Local
    local:
      rules:
        - clientSelectors: [{headers: [{name: x-limited, value: "yes"}]}]
          limit: {requests: 1, unit: Hour}
`

// errorKeys has one TarsBackend ask apps for a key.
const errorKeys = `---
apiVersion: v1
kind: Secret
metadata: {name: clients}
stringData: {team-a: client-key}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: secured}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: secured}]
  apiKeyAuth:
    credentialRefs: [{name: clients}]
    extractFrom: [{headers: [Authorization]}]
`

// upstreamHeaders ask the stand-in for what a case needs.
func upstreamHeaders(ctx context.Context, c errorcase.Case) []string {
	GinkgoHelper()
	switch c.Upstream {
	case errorcase.Resets:
		return []string{"x-fake-cut", "before-headers"}
	case errorcase.IsSilent:
		return []string{"x-fake-silent", "true"}
	case errorcase.Bloats:
		// For the operator's own questions, too, which come on the same path.
		Expect(lab.standIn.Treat(ctx, shared.Rule{Next: -1, Path: "/v1/models", Set: map[string]string{
			"status": "200", "body": strings.Repeat(" ", errorcase.BloatBytes),
		}})).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(lab.standIn.Normal(ctx)).To(Succeed()) })
	case errorcase.Answers:
	}
	if c.Backend == errorcase.Limited {
		return []string{"x-limited", "yes"}
	}
	return nil
}

var _ = Describe("An error of the platform, under Envoy Gateway,", Ordered, ContinueOnFailure, func() {
	var address string

	BeforeAll(func(ctx SpecContext) {
		namespace := newNamespace("errors")
		standIn := strings.TrimSpace(kubectl("get", "service", "-n", "tarsfake", "tarsfake", "-o", "jsonpath={.spec.clusterIP}"))
		// A port of the stand-in's Service at which its pod refuses connections.
		kubectl("patch", "service", "-n", "tarsfake", "tarsfake", "--type=json",
			"-p", `[{"op": "add", "path": "/spec/ports/-", "value": {"name": "closed", "port": 444, "targetPort": 1}}]`)
		DeferCleanup(func() {
			kubectl("patch", "service", "-n", "tarsfake", "tarsfake", "--type=json", "-p", `[{"op": "remove", "path": "/spec/ports/3"}]`)
		})
		node := strings.TrimSpace(kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.addresses[?(@.type==\"InternalIP\")].address}"))
		_, err := lab.Cluster(ctx, "exec", "--name", lab.Name, "iptables", "-I", "INPUT", "-p", "tcp", "--dport", strconv.Itoa(droppedPort), "-j", "DROP")
		Expect(err).NotTo(HaveOccurred())
		for _, alias := range []string{"dead.tetrate.ai=" + standIn, "blackhole.tetrate.ai=" + node} {
			_, err := lab.Cluster(ctx, "alias", "--name", lab.Name, alias)
			Expect(err).NotTo(HaveOccurred())
		}
		apply(gatewayNamespace, gatewayManifest(errorsGateway)+errorLimit)
		DeferCleanup(func() {
			kubectl("delete", "-n", gatewayNamespace, "--ignore-not-found", "gateway/"+errorsGateway, "backendtrafficpolicy/errors")
		})
		all := errorBackends(namespace)
		var text strings.Builder
		for _, b := range all {
			text.WriteString(b.manifests())
		}
		apply(namespace, text.String())
		for _, b := range all {
			// Some lead nowhere, so they are never Ready.
			waitCondition(namespace, b.name, "DataPlaneVerified")
		}
		apply(namespace, errorKeys)
		kubectl("annotate", "-n", namespace, "tarsbackend/unprocessed", "gateway.tars.dev/paused=true")
		kubectl("delete", "-n", namespace, "envoyextensionpolicy/unprocessed")
		address = forwardGateway(ctx, errorsGateway)
		Eventually(func(g Gomega) {
			for path, want := range map[string]int{"/secured": 401, "/unprocessed": 503} {
				a, err := ask("http://"+address+path, chatBody(chatModel, "policy", false), nil)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(a.Status).To(Equal(want), a.Body)
			}
			// The limit is told by its header before it is used up.
			a, err := ask("http://"+address+"/free", chatBody(chatModel, "policy", false), map[string]string{"x-limited": "yes"})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(a.Header).To(HaveKey("X-Ratelimit-Limit"))
		}).Should(Succeed())
	}, NodeTimeout(setUpTimeout))

	for _, c := range errorcase.Cases() {
		for _, a := range errorcase.APIs() {
			It(fmt.Sprintf("%s is the same for %s as on an Envoy of the data plane's tests", c.Name, a.Name), func(ctx SpecContext) {
				id := fmt.Sprintf("errors-%s-%d", a.Name, time.Now().UnixNano())
				reply, err := c.Ask(ctx, errorcase.At{Address: address, API: a, ID: id, Headers: upstreamHeaders(ctx, c)})
				Expect(err).NotTo(HaveOccurred())
				if c.Backend != errorcase.Limited {
					// The Gateway's limit tells of itself on what it does not limit, too.
					maps.DeleteFunc(reply.Header, func(name string, _ []string) bool { return strings.HasPrefix(name, "X-Ratelimit-") })
				}
				want, err := os.ReadFile(filepath.Join(lab.root, "test", "dataplane", "errorcase", c.File(a)))
				Expect(err).NotTo(HaveOccurred())
				Expect(reply.Golden()).To(Equal(string(want)))
			})
		}
	}
})
