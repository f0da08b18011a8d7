// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("check of a live TarsBackend", func() {
	It("has nothing to say while it is Ready, and says what is wrong when it is not", func() {
		b := backend{name: "checked", gateway: gatewayName, prefix: "/checked"}
		b.namespace = newNamespace("check")
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)
		check := command{name: lab.Program(), args: []string{"check", "-n", b.namespace, b.name}}
		Expect(must(check)).To(Equal(b.namespace + "/" + b.name + ": Ready, no complaint\n"))

		kubectl("delete", "secret", "-n", b.namespace, b.secretName())
		Eventually(func() string { return readyReason(b.namespace, b.name) }).Should(Equal("SecretNotFound"))
		out, err := check.run(context.Background())
		Expect(err).To(MatchError(ContainSubstring("1 of 1 TarsBackends want attention")))
		Expect(out).To(And(ContainSubstring("not Ready (SecretNotFound)"), ContainSubstring("kubectl get secret -n "+b.namespace+" "+b.secretName())))

		By("typing the command that it names")
		_, err = command{name: "kubectl", args: []string{"get", "secret", "-n", b.namespace, b.secretName()}}.run(context.Background())
		Expect(err).To(MatchError(ContainSubstring("not found")))
	})
})
