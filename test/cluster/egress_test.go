// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("egress", func() {
	DescribeTable("refuses what it cannot lead to, before it looks for a cluster", func(words string, args ...string) {
		Expect(egress(context.Background(), env{}, args)).To(MatchError(ContainSubstring(words)))
	},
		Entry("nothing", "takes a target"),
		Entry("two targets", "takes a target", "a.example.com:443", "b.example.com:443"),
		Entry("no port", "of the form HOST:PORT", "a.example.com"),
		Entry("no host", "of the form HOST:PORT", ":443"),
		Entry("an address", "takes a name", "192.0.2.1:443"),
		Entry("no number", "is no port", "a.example.com:https-or-so"),
	)

	It("says that there is no way out, and how to name a proxy", func() {
		GinkgoT().Setenv("HTTPS_PROXY", "")
		GinkgoT().Setenv("https_proxy", "")
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		Expect(tryWayOut(context.Background(), listener.Addr().String())).To(Succeed())
		Expect(listener.Close()).To(Succeed())
		Expect(tryWayOut(context.Background(), listener.Addr().String())).To(MatchError(And(
			ContainSubstring("no way to "+listener.Addr().String()), ContainSubstring("HTTPS_PROXY"))))
	})
})
