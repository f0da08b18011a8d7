// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
)

var _ = Describe("The probe of the upstream", func() {
	canaryOf := func(name string) string { return "/" + name + "/v1/.well-known/tarsbackend/canary-of-" + name }
	ticketFor := func(name string) []string {
		nonce := hex.EncodeToString([]byte(rand.Text()))
		return []string{config.HeaderProbe, config.ProbeTicket("token-of-"+name, nonce, time.Now())}
	}
	probe := func(name string) reply { return get(canaryOf(name), newID(), ticketFor(name)...) }

	It("brings TARS's own list of models through Envoy, with the key that Envoy puts on, and costs nothing", func() {
		r := probe("fake")
		Expect(r.status).To(Equal(200))
		Expect(r.header.Get("x-tarsbackend-probe")).To(Equal("tars"))
		Expect(r.header.Get("x-tarsbackend-config-hash")).To(MatchRegexp("^[0-9a-f]{16}$"))
		Expect(r.header.Get("x-tarsbackend-route-hash")).To(Equal("hash-of-fake"))
		Expect(r.body).To(ContainSubstring(`"id":"gpt-4o-mini"`))
		head := send(request(newID(), "HEAD "+canaryOf("fake"), nil, ticketFor("fake")...))
		Expect(head.status).To(Equal(405), "the stand-in's own answer")
		Expect(head.header.Get("x-tarsbackend-probe")).To(Equal("tars"))
	})

	DescribeTable("tells why there is no answer of TARS", func(name, details string) {
		r := probe(name)
		Expect(r.header.Get("x-tarsbackend-probe")).To(Equal("gateway"))
		Expect(r.header.Get("x-tarsbackend-probe-details")).To(MatchRegexp(details))
		Expect(r.header.Get("x-tarsbackend-config-hash")).To(MatchRegexp("^[0-9a-f]{16}$"))
	},
		Entry("nobody listens", "dead", "refused"),
		Entry("the connection never comes to be", "blackhole", "timeout"),
		Entry("its name has no address", "empty", "no_healthy_upstream"),
		Entry("its certificate is not the trusted one", "distrusted", "CERTIFICATE_VERIFY_FAILED"),
	)
})
