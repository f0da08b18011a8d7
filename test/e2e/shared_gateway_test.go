// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// platformGateway has a Gateway of its own, because the policies below act on
// everything that is attached to it.
const platformGateway = "platform"

// platformPolicies are what a platform team sets for every app of a Gateway:
// one policy of each kind that may target it.
const platformPolicies = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata: {name: platform}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: platform}]
  headers:
    earlyRequestHeaders: {add: [{name: x-platform-client, value: "yes"}]}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: platform}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: platform}]
  cors:
    allowOrigins: ["https://apps.example.com"]
    allowMethods: [GET, POST]
    allowHeaders: [content-type]
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata: {name: platform}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: platform}]
  rateLimit:
    type: Local
    local:
      rules:
        - clientSelectors: [{headers: [{name: x-limited, value: "yes"}]}]
          limit: {requests: 2, unit: Hour}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata: {name: platform}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: platform}]
  lua:
    - type: Inline
      inline: |
        function envoy_on_response(response_handle)
          response_handle:headers():add("x-platform-lua", "yes")
        end
`

// allowLua switches Envoy Gateway's Lua on, as a platform team would.
func allowLua(ctx context.Context) {
	GinkgoHelper()
	chart, err := lab.Tool(ctx, "gateway-chart")
	Expect(err).NotTo(HaveOccurred())
	helm("upgrade", "eg", chart, "--namespace", "envoy-gateway-system", "--reuse-values", "--wait",
		"--set", "config.envoyGateway.extensionApis.enableLua=true")
	kubectl("rollout", "restart", "-n", "envoy-gateway-system", "deployment/envoy-gateway")
	kubectl("rollout", "status", "-n", "envoy-gateway-system", "deployment/envoy-gateway", "--timeout=2m")
}

// behaviour is what an app's client and the app itself see of the policies.
type behaviour struct {
	// Served is the status of an ordinary request.
	Served int
	// ClientHeader: the ClientTrafficPolicy's header reached the app.
	ClientHeader bool
	// Origin is what CORS answered a preflight of an allowed origin.
	Origin string
	// Refused is the same for another origin.
	Refused string
	// Limited: of three requests that count, the last was refused with 429.
	Limited bool
	// Lua is the header that the Lua filter adds.
	Lua string
}

// governed is what every app on the Gateway is to show, always.
var governed = behaviour{
	Served: http.StatusOK, ClientHeader: true, Origin: "https://apps.example.com", Limited: true, Lua: "yes",
}

// observe finds out how the policies act on a path.
func observe(g Gomega, base string, key map[string]string) behaviour {
	ctx := context.Background()
	g.Expect(lab.standIn.Forget(ctx)).To(Succeed())
	a, err := ask(base, chatBody(chatModel, "policies", false), key)
	g.Expect(err).NotTo(HaveOccurred())
	b := behaviour{Served: a.Status, Lua: a.Header.Get("x-platform-lua")}
	entries, err := lab.standIn.Ledger(ctx, chatEntries+"&last=1")
	g.Expect(err).NotTo(HaveOccurred())
	for _, e := range entries {
		b.ClientHeader = slices.Contains(e.HeaderNames, "x-platform-client")
	}
	b.Origin = preflight(g, base, "https://apps.example.com")
	b.Refused = preflight(g, base, "https://elsewhere.example.com")
	for range 3 {
		header := map[string]string{"x-limited": "yes"}
		maps.Copy(header, key)
		a, err := ask(base, chatBody(chatModel, "limited", false), header)
		g.Expect(err).NotTo(HaveOccurred())
		b.Limited = a.Status == http.StatusTooManyRequests
	}
	return b
}

// preflight is the origin that CORS allows.
func preflight(g Gomega, base, origin string) string {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodOptions, base+"/v1/chat/completions", http.NoBody)
	g.Expect(err).NotTo(HaveOccurred())
	req.Header.Set("origin", origin)
	req.Header.Set("access-control-request-method", http.MethodPost)
	a, err := do(req)
	g.Expect(err).NotTo(HaveOccurred())
	return a.Header.Get("access-control-allow-origin")
}

var _ = Describe("A Gateway with another app and policies for all", Ordered, func() {
	b := backend{name: "shared", gateway: platformGateway, prefix: "/ours"}
	withKey := map[string]string{"authorization": "Bearer " + demoKey}
	var gateway string

	// expectGoverned waits for the policies to act, as Envoy Gateway needs a
	// moment for them.
	expectGoverned := func(path string, key map[string]string) {
		GinkgoHelper()
		Eventually(func(g Gomega) { g.Expect(observe(g, gateway+path, key)).To(Equal(governed)) }).Should(Succeed())
	}

	BeforeAll(func(ctx SpecContext) {
		allowLua(ctx)
		b.namespace = newNamespace("shared-gateway")
		apply(gatewayNamespace, gatewayManifest(platformGateway)+"---"+platformPolicies)
		DeferCleanup(func() {
			kubectl("delete", "-n", gatewayNamespace, "--ignore-not-found", "gateway/"+platformGateway, "clienttrafficpolicy/platform",
				"securitypolicy/platform", "backendtrafficpolicy/platform", "envoyextensionpolicy/platform")
		})
		apply("tarsfake", strings.ReplaceAll(otherApp, "{name: shared, namespace: default}", "{name: platform, namespace: default}"))
		DeferCleanup(func() { kubectl("delete", "httproute", "-n", "tarsfake", "other") })
		kubectl("wait", "-n", gatewayNamespace, "--for=condition=Programmed", "gateway/"+platformGateway, "--timeout=3m")
		gateway = "http://" + forwardGateway(context.Background(), platformGateway)
		expectGoverned("/other", withKey)
	}, NodeTimeout(setUpTimeout))

	It("treats the other app the same while a TarsBackend comes", func() {
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)
		Expect(observe(Default, gateway+"/other", withKey)).To(Equal(governed))
	})

	It("treats the TarsBackend as it treats every app", func() {
		Expect(observe(Default, gateway+b.prefix, nil)).To(Equal(governed))
	})

	It("treats the other app the same when the TarsBackend is gone", func() {
		kubectl("delete", "-n", b.namespace, "tarsbackend/"+b.name, "--timeout=2m")
		Eventually(func(g Gomega) {
			a, err := ask(gateway+b.prefix, chatBody(chatModel, "gone", false), nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(a.Status).To(Equal(http.StatusNotFound))
		}).Should(Succeed())
		Expect(observe(Default, gateway+"/other", withKey)).To(Equal(governed))
	})
})
