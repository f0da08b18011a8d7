// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// forbidden is a model that the allow-list does not hold: whatever of it
// reaches the stand-in got past the policy.
const forbidden = "claude-sonnet-5"

var _ = Describe("Without one of its policies", Ordered, func() {
	b := backend{name: "closed", gateway: gatewayName, prefix: "/closed", extra: "models: {allow: [" + chatModel + "]}"}
	var base string

	BeforeAll(func() {
		b.namespace = newNamespace("failclosed")
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)
		base = lab.base + b.prefix
	})

	DescribeTable("nothing reaches TARS unpoliced",
		func(kind string) {
			ctx := context.Background()
			Expect(lab.standIn.Forget(ctx)).To(Succeed())
			l := startLoad(loadPlan{Clients: 4, Pause: 10 * time.Millisecond, Request: func(ctx context.Context, n int) (*http.Request, error) {
				header := map[string]string{}
				if n%2 == 0 {
					header["x-tarsbackend-pass"] = "a-guess"
				}
				return chatRequest(ctx, base, chatBody(forbidden, "policy", false), header)
			}})
			Eventually(l.sent).Should(BeNumerically(">", 20))
			kubectl("delete", kind, "-n", b.namespace, b.name, "--wait=false")
			more := l.sent() + 200
			Eventually(l.sent).Should(BeNumerically(">", more))
			Eventually(func() string { return readyReason(b.namespace, b.name) }).Should(Equal("Ready"))
			result := l.stop()
			_, _ = fmt.Fprintf(GinkgoWriter, "%s deleted: %s\n", kind, result)
			Expect(reached()).To(BeZero(), "requests for a model that is not allowed reached the stand-in")
			waitReady(b.namespace, b.name)
			eventuallyServed(base)
		},
		Entry("the EnvoyExtensionPolicy", "envoyextensionpolicy"),
		Entry("the BackendTrafficPolicy", "backendtrafficpolicy"),
		Entry("the Backend", "backend.gateway.envoyproxy.io"),
		Entry("the HTTPRoute", "httproute"),
	)

	It("answers 503 in JSON, and sends nothing, with no external processor", func() {
		kubectl("patch", "tarsbackend", "-n", b.namespace, b.name, "--type=merge", "-p", `{"spec":{"extProc":{"replicas":0}}}`)
		Eventually(func() string { return readyReason(b.namespace, b.name) }).Should(Equal("ScaledToZero"))
		Expect(lab.standIn.Forget(context.Background())).To(Succeed())
		Eventually(func(g Gomega) {
			a, err := ask(base, chatBody(chatModel, "down", false), nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(a.Status).To(Equal(http.StatusServiceUnavailable), a.Body)
			g.Expect(a.Header.Get("x-tarsbackend-error-source")).To(Equal("extproc"))
			g.Expect(a.Body).To(ContainSubstring(`"error"`))
		}).Should(Succeed())
		kubectl("patch", "tarsbackend", "-n", b.namespace, b.name, "--type=merge", "-p", `{"spec":{"extProc":{"replicas":2}}}`)
		waitReady(b.namespace, b.name)
		eventuallyServed(base)
	})
})
