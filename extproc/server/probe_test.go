// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
)

var _ = Describe("The probe of the upstream", func() {
	nonces := 0
	fresh := func() string {
		nonces++
		return config.ProbeTicket(token, fmt.Sprintf("%x", nonces), time.Now())
	}
	probe := func(ticket string, pairs ...string) *extprocv3.ProcessingRequest {
		return get(canaryPath, append(pairs, config.HeaderProbe, ticket)...)
	}
	const stamped = " x-tarsbackend-config-hash=hash-1 x-tarsbackend-replica=pod-1 cache-control=no-store"
	from := func(m *extprocv3.ProcessingRequest, details string) *extprocv3.ProcessingRequest {
		return withAttributes(m, "response.code_details", details)
	}

	It("goes to TARS as a request for its models, and its answer comes back whole and stamped", func() {
		b := newBench(restricted)
		list := `{"data":[{"id":"not-allowed"}]}`
		Expect(b.talk(probe(fresh(), "x-tarsbackend-pass", "guessed"),
			from(bareResponseHeaders(200, false, "content-type", "application/json", "x-tarsbackend-route-hash", "r1", "x-tarsbackend-replica", "forged"), "via_upstream"),
			responseBody(list, true))).To(Equal([]string{
			"request headers accept-encoding=identity :path=/v1/models x-tarsbackend-pass=pass-token" +
				" -x-tarsbackend-pass -x-tarsbackend-probe route again",
			"response headers" + stamped + " x-tarsbackend-probe=tars x-tarsbackend-route-hash=r1 -x-tarsbackend-route-hash -x-tarsbackend-replica",
			"response " + list + "$",
		}))
		Expect(b.counted("tars_requests_total")).To(BeEmpty(), "nobody asked for it")
	})
	It("keeps the route's prefix and asks without a body where it is a HEAD", func() {
		b := newBench(func(r *config.Route) { r.PathPrefix, r.CanaryPath = "/llm", "/llm"+canaryPath })
		words := b.talk(requestHeaders(true, ":method", "HEAD", ":path", "/llm"+canaryPath, config.HeaderProbe, fresh()),
			from(bareResponseHeaders(401, true), "via_upstream"))
		Expect(words[0]).To(ContainSubstring(":path=/llm/v1/models "))
		Expect(words[1]).To(Equal("response headers" + stamped + " x-tarsbackend-probe=tars"))
	})
	It("tells why Envoy answered in TARS's place", func() {
		words := newBench(nil).talk(probe(fresh()),
			from(bareResponseHeaders(503, false, "content-type", "text/plain"), "no_healthy_upstream"), responseBody("no healthy upstream", true))
		Expect(words[1:]).To(Equal([]string{
			"response headers" + stamped + " x-tarsbackend-probe=gateway x-tarsbackend-probe-details=no_healthy_upstream",
			"response no healthy upstream$",
		}))
	})
	DescribeTable("stays with us", func(request func() *extprocv3.ProcessingRequest, problem string) {
		Expect(newBench(nil).talk(request())[0]).To(MatchRegexp(
			"^answer 200 .* x-tarsbackend-probe=refused x-tarsbackend-probe-details=" + problem + ` \{`))
	},
		Entry("without a good ticket", func() *extprocv3.ProcessingRequest { return probe("1.a.b") }, "ticket not valid"),
		Entry("with a ticket of another time", func() *extprocv3.ProcessingRequest {
			return probe(config.ProbeTicket(token, "a", time.Now().Add(-time.Hour)))
		}, "ticket out of time"),
		Entry("as a POST", func() *extprocv3.ProcessingRequest { return post(canaryPath, config.HeaderProbe, fresh()) }, "not GET or HEAD"),
	)
	It("goes through once", func() {
		b, ticket := newBench(nil), fresh()
		Expect(b.talk(probe(ticket))[0]).To(HavePrefix("request headers "))
		Expect(b.talk(probe(ticket))[0]).To(ContainSubstring("ticket used before"))
		Expect(b.talk(probe(fresh()))[0]).To(HavePrefix("request headers "))
	})
})
