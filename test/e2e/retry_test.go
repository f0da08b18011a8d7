// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

var _ = Describe("A request that TARS does not serve", Ordered, func() {
	plain := backend{name: "plain", gateway: gatewayName, prefix: "/retry-plain"}
	patient := backend{name: "patient", gateway: gatewayName, prefix: "/retry-patient", extra: "retry: {attempts: 2, codes: [429]}"}
	never := backend{name: "never", gateway: gatewayName, prefix: "/retry-never", extra: "retry: {attempts: 0}"}

	BeforeAll(func() {
		namespace := newNamespace("retry")
		for _, b := range []*backend{&plain, &patient, &never} {
			b.namespace = namespace
			apply(namespace, b.manifests())
		}
		for _, b := range []backend{plain, patient, never} {
			waitReady(namespace, b.name)
		}
	})

	DescribeTable("is sent again as spec.retry says, and no oftener",
		func(b *backend, fault string, faults, status, sent int) {
			ctx := context.Background()
			Expect(lab.standIn.Forget(ctx)).To(Succeed())
			for range faults {
				Expect(lab.standIn.Treat(ctx, shared.Rule{Next: 1, Path: chatPath, Set: map[string]string{"error": fault}})).To(Succeed())
			}
			DeferCleanup(func() { Expect(lab.standIn.Normal(context.Background())).To(Succeed()) })
			a, err := ask(lab.base+b.prefix, chatBody(chatModel, "retry", false), nil)
			Expect(err).NotTo(HaveOccurred())
			Expect(a.Status).To(Equal(status), a.Body)
			entries, err := lab.standIn.Ledger(ctx, chatEntries)
			Expect(err).NotTo(HaveOccurred())
			Expect(entries).To(HaveLen(sent))
			if status != http.StatusOK {
				Expect(a.Header.Get("x-tarsbackend-error-source")).To(Equal("tars"))
			}
		},
		Entry("a 503 once, by default", &plain, "503", 1, 200, 2),
		Entry("a second 503 not again", &plain, "503", 2, 503, 2),
		Entry("a 429 not, by default", &plain, "429", 1, 429, 1),
		Entry("a 500 not, which may have cost something", &plain, "500", 1, 500, 1),
		Entry("a 429 twice, where that is asked for", &patient, "429", 2, 200, 3),
		Entry("a 503 not, where only 429 is asked for", &patient, "503", 1, 503, 1),
		Entry("nothing, where nothing is", &never, "503", 1, 503, 1),
	)
})
