// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

var _ = Describe("an answer to the probe of TARS", func() {
	fromTARS := func(contentType string) http.Header {
		return http.Header{"X-Tarsbackend-Probe": {"tars"}, "Content-Type": {contentType}}
	}
	DescribeTable("of TARS", func(status int, body string, want conditions.UpstreamOutcome, words ...string) {
		contentType := "application/json; charset=utf-8"
		if strings.HasPrefix(body, "<") {
			contentType = "text/html"
		}
		a := classifyUpstream(http.MethodGet, status, fromTARS(contentType), []byte(body))
		Expect(a.outcome).To(Equal(want), a.detail)
		for _, w := range words {
			Expect(a.detail).To(ContainSubstring(w))
		}
		Expect(a.detail).NotTo(ContainSubstring("planted"))
	},
		Entry("a list", 200, `{"object":"list","data":[{"id":"a"}]}`, conditions.UpstreamServed),
		Entry("an empty list", 200, `{"data":[]}`, conditions.UpstreamServed),
		Entry("a rejected key", 401, `{"error":{"code":401,"message":"planted"}}`, conditions.UpstreamRejected, "TARS answered 401"),
		Entry("a key that may not", 403, `{"error":{"code":"forbidden"}}`, conditions.UpstreamRejected, "403"),
		Entry("a rejected key, in words alone", 401, `{"error":{"message":"planted"}}`, conditions.UpstreamRejected),
		Entry("a 401 whose error is no object", 401, `{"error":"planted"}`, conditions.UpstreamUnexpected, "without TARS's error"),
		Entry("a 403 whose error is a list", 403, `{"error":[{"code":403}]}`, conditions.UpstreamUnexpected, "without TARS's error"),
		Entry("a 401 whose error is empty", 401, `{"error":{}}`, conditions.UpstreamUnexpected, "without TARS's error"),
		Entry("an error of another form inside a 200", 200, `{"data":[{"id":"a"}],"error":"planted"}`, conditions.UpstreamUnexpected),
		Entry("a 401 of somebody else", 401, `planted`, conditions.UpstreamUnexpected, "401", "without TARS's error"),
		Entry("a 403 of a firewall", 403, `<html>planted</html>`, conditions.UpstreamUnexpected, "403 of type text/html"),
		Entry("no credits", 402, `{"error":{"code":402}}`, conditions.UpstreamNoCredits, "402"),
		Entry("no credits, in other words", 402, ``, conditions.UpstreamNoCredits),
		Entry("a limit", 429, `{}`, conditions.UpstreamRateLimited, "429"),
		Entry("another server", 404, `planted`, conditions.UpstreamNotFound, "404"),
		Entry("an error of TARS", 503, `{"error":{"code":503}}`, conditions.UpstreamNotServing, "503 of type application/json"),
		Entry("an error of a proxy", 502, `<html>planted</html>`, conditions.UpstreamNotServing, "502 of type text/html"),
		Entry("a rejected key inside a 200", 200, `{"error":{"code":401,"message":"planted"}}`, conditions.UpstreamRejected, "200 with an error inside of code 401"),
		Entry("a code in quotes inside a 200", 200, `{"error":{"code":"402"}}`, conditions.UpstreamNoCredits, "code 402"),
		Entry("an error beside a list", 200, `{"data":[{"id":"a"}],"error":{"code":401}}`, conditions.UpstreamRejected),
		Entry("not ready inside a 200", 200, `{"error":{"code":"model_not_ready"}}`, conditions.UpstreamNotServing),
		Entry("an unknown error inside a 200", 200, `{"error":{"code":"planted"}}`, conditions.UpstreamUnexpected, "of a code that is not known"),
		Entry("no error", 200, `{"data":[],"error":null}`, conditions.UpstreamServed),
		Entry("a page", 200, `<html>planted</html>`, conditions.UpstreamUnexpected, "200 of type text/html that is no list of models"),
		Entry("other JSON", 200, `{"status":"ok"}`, conditions.UpstreamUnexpected, "no list of models"),
		Entry("a list of something else", 200, `{"data":{"id":"a"}}`, conditions.UpstreamUnexpected),
		Entry("half a list", 200, `{"data":[{"id":"a"}`, conditions.UpstreamUnexpected),
		Entry("nothing", 200, ``, conditions.UpstreamUnexpected),
		Entry("a redirect", 302, ``, conditions.UpstreamUnexpected, "302"),
		Entry("too much", 200, `{"data":[],"x":"`+strings.Repeat("x", maxListBytes)+`"}`, conditions.UpstreamUnexpected),
	)
	It("names the models", func() {
		a := classifyUpstream(http.MethodGet, 200, fromTARS("application/json"), []byte(`{"data":[{"id":"b"},{"id":"a"}]}`))
		Expect(a.models).To(Equal([]string{"b", "a"}))
		a = classifyUpstream(http.MethodGet, 200, fromTARS("application/json"), []byte(`{"data":[]}`))
		Expect(a.models).To(And(BeEmpty(), Not(BeNil())), "none is known, which is not nothing known")
	})
	It("to HEAD has no body to judge, but a type", func() {
		Expect(classifyUpstream(http.MethodHead, 200, fromTARS(""), nil).outcome).To(Equal(conditions.UpstreamServed))
		Expect(classifyUpstream(http.MethodHead, 200, fromTARS("application/json; charset=utf-8"), nil).outcome).To(Equal(conditions.UpstreamServed))
		page := classifyUpstream(http.MethodHead, 200, fromTARS("text/html"), nil)
		Expect(page.outcome).To(Equal(conditions.UpstreamUnexpected))
		Expect(page.detail).To(Equal("the answer was 200 of type text/html to HEAD"))
		Expect(classifyUpstream(http.MethodHead, 401, fromTARS(""), nil).outcome).To(Equal(conditions.UpstreamUnexpected))
	})

	DescribeTable("to HEAD may be another the next time", func(status int, passing bool) {
		Expect(classifyUpstream(http.MethodHead, status, fromTARS(""), nil).passing).To(Equal(passing))
	},
		Entry("after a limit", 429, true), Entry("after a failure", 503, true),
		Entry("but not where the method is not known", 501, false), Entry("nor where it is not allowed", 405, false),
		Entry("nor where nothing is found", 404, false),
	)

	DescribeTable("of Envoy", func(status int, details string, want conditions.UpstreamOutcome) {
		a := classifyUpstream(http.MethodGet, status, http.Header{"X-Tarsbackend-Probe": {"gateway"}, "X-Tarsbackend-Probe-Details": {details}}, nil)
		Expect(a.outcome).To(Equal(want))
		Expect(a.detail).To(HavePrefix("Envoy answered "))
	},
		Entry("no address", 503, "no_healthy_upstream", conditions.UpstreamNoAddress),
		Entry("no cluster", 503, "cluster_not_found", conditions.UpstreamNoAddress),
		Entry("a certificate", 503, "upstream_reset_before_response_started{remote_connection_failure|TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end}", conditions.UpstreamTLS),
		Entry("a refused connection", 503, "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}", conditions.UpstreamRefused),
		Entry("a connection that never comes to be", 503, "upstream_reset_before_response_started{connection_timeout}", conditions.UpstreamTimeout),
		Entry("silence", 504, "upstream_response_timeout", conditions.UpstreamTimeout),
		Entry("a broken connection", 503, "upstream_reset_before_response_started{connection_termination}", conditions.UpstreamBroken),
		Entry("a refusal of its own", 403, "rbac_access_denied", conditions.UpstreamImpossible),
		Entry("a limit of its own", 429, "request_rate_limited", conditions.UpstreamImpossible),
		Entry("anything else", 500, "", conditions.UpstreamBroken),
	)
	It("of Envoy is quoted with a bound and without control characters", func() {
		a := classifyEnvoy(503, "a_b\x00\n"+strings.Repeat("x", 1000))
		Expect(a.detail).To(HavePrefix("Envoy answered 503 (a bxxx"))
		Expect(len(a.detail)).To(BeNumerically("<", 200))
	})
	It("of the external processor itself tells what is wrong with the ticket", func() {
		a := classifyUpstream(http.MethodGet, 200, http.Header{"X-Tarsbackend-Probe": {"refused"}, "X-Tarsbackend-Probe-Details": {"ticket out of time"}}, nil)
		Expect(a.outcome).To(Equal(conditions.UpstreamImpossible))
		Expect(a.detail).To(And(ContainSubstring("ticket out of time"), ContainSubstring("clocks")))
	})
	It("of an older external processor proves nothing", func() {
		a := classifyUpstream(http.MethodGet, 200, http.Header{}, nil)
		Expect(a.outcome).To(Equal(conditions.UpstreamImpossible))
		Expect(a.detail).To(ContainSubstring("older version"))
	})
	It("of an earlier filter proves nothing", func() {
		a := classifyUpstream(http.MethodGet, 401, http.Header{}, nil)
		Expect(a).To(Equal(upstreamAnswer{outcome: conditions.UpstreamImpossible, detail: "a filter of the Gateway answers 401 before the request gets to TARS"}))
	})
})
