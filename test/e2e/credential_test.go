// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

// rotationTimeout bounds how long the old key may be in use, counted from
// before kubectl was started. Requests come every few milliseconds.
const rotationTimeout = time.Second

var _ = Describe("The credential", Ordered, func() {
	b := backend{name: "cred", gateway: gatewayName, prefix: "/cred"}
	var base string

	BeforeAll(func() {
		b.namespace = newNamespace("credential")
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)
		base = lab.base + b.prefix
	})

	It("rotates under load without a request lost, within a second", func() {
		const rotated = "sk-rotated-key"
		ctx := context.Background()
		Expect(lab.standIn.AddKey(ctx, rotated)).To(Succeed())
		l := startLoad(loadPlan{Clients: 4, Pause: 20 * time.Millisecond, Request: func(ctx context.Context, _ int) (*http.Request, error) {
			return chatRequest(ctx, base, chatBody(chatModel, "rotate", false), nil)
		}})
		Eventually(l.sent).Should(BeNumerically(">", 50))
		Expect(lab.standIn.Forget(ctx)).To(Succeed())
		changed := patchSecret(ctx, b.namespace, b.secretName(), rotated)
		var old string
		var took time.Duration
		Eventually(func(g Gomega) {
			entries, err := lab.standIn.Ledger(ctx, chatEntries)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(entries).NotTo(BeEmpty())
			old = entries[0].Key
			first := slices.IndexFunc(entries, func(e shared.Entry) bool { return e.Key != old })
			g.Expect(first).To(BeNumerically(">=", 0), "the new key has not been used yet")
			took = entries[first].Time.Sub(changed)
		}).Should(Succeed())
		// Only once nobody uses the old key any more may it be revoked.
		Expect(lab.standIn.RevokeKey(ctx, demoKey)).To(Succeed())
		more := l.sent() + 100
		Eventually(l.sent).Should(BeNumerically(">", more))
		result := l.stop()
		Expect(lab.standIn.AddKey(ctx, demoKey)).To(Succeed())
		fmt.Fprintf(os.Stderr, "rotation: request that changes the Secret to first request with the new key %.2f s; %s\n", took.Seconds(), result)
		Expect(took).To(BeNumerically("<", rotationTimeout))
		Expect(result.bad()).To(BeZero(), result.String())
	})

	It("stops traffic and says so when the Secret is deleted, and heals", func() {
		kubectl("delete", "secret", "-n", b.namespace, b.secretName())
		Eventually(func() string { return readyReason(b.namespace, b.name) }).Should(Equal("SecretNotFound"))
		Eventually(func(g Gomega) {
			a, err := ask(base, chatBody(chatModel, "no key", false), nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(a.Status).To(Equal(http.StatusServiceUnavailable), a.Body)
			g.Expect(a.Header.Get("content-type")).To(HavePrefix("application/json"))
		}).Should(Succeed())
		apply(b.namespace, secretManifest(b.secretName(), demoKey))
		waitReady(b.namespace, b.name)
		eventuallyServed(base)
	})
})

var _ = Describe("The order of applying", func() {
	It("does not matter", func() {
		namespace := newNamespace("order")
		b := backend{name: "order", namespace: namespace, gateway: "late", prefix: "/order"}
		apply(namespace, b.manifest())
		Eventually(func() string { return readyReason(namespace, b.name) }).Should(Or(Equal("GatewayNotFound"), Equal("SecretNotFound")))
		apply(gatewayNamespace, gatewayManifest("late"))
		DeferCleanup(func() { kubectl("delete", "gateway", "-n", gatewayNamespace, "late") })
		Eventually(func() string { return readyReason(namespace, b.name) }).Should(Equal("SecretNotFound"))
		apply(namespace, secretManifest(b.secretName(), demoKey))
		waitReady(namespace, b.name)
		eventuallyServed("http://" + forwardGateway(context.Background(), "late") + b.prefix)
		kubectl("delete", "-n", namespace, "tarsbackend/"+b.name, "--timeout=2m")
	})
})
