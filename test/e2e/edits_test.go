// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// otherApp is another team's app on the same Gateway: the stand-in's plain
// port, by a route of its own.
const otherApp = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: other}
spec:
  parentRefs: [{name: shared, namespace: default}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /other}}]
      filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]
      timeouts: {request: 0s}
      backendRefs: [{name: tarsfake, port: 80}]
`

// otherStream is how long the other app's stream takes: as long as all edits.
const otherStream = 90 * time.Second

var _ = Describe("An edit of a TarsBackend", Ordered, func() {
	b := backend{name: "edits", gateway: gatewayName, prefix: "/edits"}
	var base string

	BeforeAll(func() {
		b.namespace = newNamespace("edits")
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)
		base = lab.base + b.prefix
		apply("tarsfake", otherApp)
		DeferCleanup(func() { kubectl("delete", "httproute", "-n", "tarsfake", "other") })
		Eventually(func(g Gomega) {
			a, err := get(lab.base+"/other/v1/models", map[string]string{"authorization": "Bearer " + demoKey})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(a.Status).To(Equal(http.StatusOK), a.Body)
		}).Should(Succeed())
	})

	It("touches no listener and no stream of another app", func() {
		before := listenerModified(gatewayName)
		type ended struct {
			stream
			err error
		}
		other := make(chan ended, 1)
		go func() {
			req, err := chatRequest(context.Background(), lab.base+"/other", chatBody(chatModel, "other", true), map[string]string{
				"authorization": "Bearer " + demoKey, "x-fake-duration": otherStream.String(), "x-fake-chunks": "90",
			})
			if err != nil {
				other <- ended{err: err}
				return
			}
			s, err := readStream(req)
			other <- ended{stream: s, err: err}
		}()
		for _, edit := range []string{
			`{"models":{"allow":["gpt-4o-mini"]}}`,
			`{"models":{"allow":["gpt-4o-mini","claude-*"],"aliases":[{"name":"fast","model":"xai/grok-4.5"}]}}`,
			`{"unlistedPaths":"Forward"}`,
			`{"timeouts":{"connect":"5s","streamIdle":"5m","request":"10m"}}`,
			`{"retry":{"attempts":2,"codes":[429,503]}}`,
			`{"requestBody":{"maxSize":"16Mi"}}`,
			`{"extProc":{"drainTimeout":"1m","podTemplate":{"metadata":{"labels":{"team":"a"}}}}}`,
			`{"hostnames":["llm.example.com"]}`,
			`{"hostnames":null}`,
			`{"pathPrefix":"/edited"}`,
			`{"pathPrefix":"/edits","models":null,"unlistedPaths":null}`,
		} {
			kubectl("patch", "tarsbackend", "-n", b.namespace, b.name, "--type=merge", "-p", `{"spec":`+edit+`}`)
			waitReady(b.namespace, b.name)
			Expect(listenerModified(gatewayName)).To(Equal(before), "after %s", edit)
		}
		result := <-other
		Expect(result.err).NotTo(HaveOccurred())
		Expect(result.last).To(Equal("[DONE]"))
		Expect(result.took).To(BeNumerically(">=", otherStream-time.Second))
	})

	It("leaves Envoy's buffers for the external processor as they were made", func(ctx SpecContext) {
		Expect(extProcBuffers(ctx, b)).To(HaveExactElements(1 << 20))
	})

	It("is in force at the first request after Ready", func() {
		for n := range 10 {
			allowed, refused := chatModel, forbidden
			if n%2 == 1 {
				allowed, refused = refused, allowed
			}
			kubectl("patch", "tarsbackend", "-n", b.namespace, b.name, "--type=merge", "-p", `{"spec":{"models":{"allow":["`+allowed+`"]}}}`)
			waitReady(b.namespace, b.name)
			// A pod of the old configuration would be met by some of many.
			for range 20 {
				a, err := ask(base, chatBody(refused, "edited", false), nil)
				Expect(err).NotTo(HaveOccurred())
				Expect(a.Status).To(Equal(http.StatusNotFound), "edit %d: %s", n, a.Body)
				a, err = ask(base, chatBody(allowed, "edited", false), nil)
				Expect(err).NotTo(HaveOccurred())
				Expect(a.Status).To(Equal(http.StatusOK), "edit %d: %s", n, a.Body)
			}
		}
		kubectl("patch", "tarsbackend", "-n", b.namespace, b.name, "--type=merge", "-p", `{"spec":{"models":null}}`)
		waitReady(b.namespace, b.name)
	})

	It("loses no request and cuts no stream of its own", func() {
		t := startTraffic(base)
		kubectl("patch", "tarsbackend", "-n", b.namespace, b.name, "--type=merge", "-p", `{"spec":{"models":{"allow":["gpt-4o-mini"]}}}`)
		waitReady(b.namespace, b.name)
		// The old pods are still draining.
		t.expectUnharmed("a change of models")
	})
})
