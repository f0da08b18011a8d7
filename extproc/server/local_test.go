// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// localReply is an answer that Envoy made, with further headers; the request
// is known by attributes only.
func localReply(status int, details, path string, pairs ...string) *extprocv3.ProcessingRequest {
	return withAttributes(bareResponseHeaders(status, false, pairs...), "response.code_details", details,
		"request.path", path, "request.method", "POST", "request.id", "id-2")
}

var _ = Describe("An answer of the gateway itself", func() {
	It("becomes JSON and keeps its headers, when an earlier filter gave it", func() {
		b := newBench(nil)
		Expect(b.talk(localReply(401, "api_key_authn_failed", chatPath,
			"content-type", "text/plain", "content-length", "5", "www-authenticate", "Bearer", "content-encoding", "gzip", "etag", "y", "date", "x", "x-ratelimit-limit", "1", "x-tarsbackend-route-hash", "r1"), responseBody("Denied", true))).
			To(ConsistOf(And(
				HavePrefix("answer 401 content-type=application/json x-tarsbackend-error-source=gateway x-request-id=id-2 x-client-request-id=id-2 www-authenticate=Bearer x-ratelimit-limit=1 -x-tarsbackend-route-hash {"),
				ContainSubstring(`"type":"authentication_error"`), ContainSubstring("api_key_authn_failed"),
			)))
		Expect(b.counted("tars_requests_total")).To(ConsistOf(`tars_requests_total{code="401",path="/v1/chat/completions",source="gateway",tarsbackend="ns/name"} 1`))
		Expect(b.counted("tars_upstream_errors")).To(BeEmpty())
		Expect(b.counted("tars_requests_in_flight")).To(ConsistOf(HaveSuffix(" 0")))
	})

	It("keeps each value of a header that has several, but for those that we set", func() {
		Expect(newBench(nil).talk(localReply(401, "jwt_authn_access_denied", chatPath, "www-authenticate", "Bearer", "x-request-id", "other",
			"set-cookie", "a=b", "www-authenticate", "Basic", "set-cookie", "c=d"))).To(ConsistOf(HavePrefix(
			"answer 401 content-type=application/json x-tarsbackend-error-source=gateway x-request-id=id-2 x-client-request-id=id-2 " +
				"www-authenticate=Bearer set-cookie=a=b www-authenticate+=Basic set-cookie+=c=d -x-tarsbackend-route-hash {")))
	})

	It("becomes JSON when there is no upstream", func() {
		b := newBench(nil)
		words := afterRequest(b.talk(chat(plainChat, localReply(503, "no_healthy_upstream", chatPath, "content-type", "text/plain"))...))
		Expect(words).To(ConsistOf(MatchRegexp(`^answer 503 .*x-tarsbackend-error-source=gateway .*"code":"no_healthy_upstream"`)))
		Expect(b.counted("tars_usage_missing")).To(BeEmpty())
	})

	It("leaves open what TARS has done when it took too long", func() {
		b := newBench(nil)
		replies := b.play(chat(`{"model":"gpt","messages":[{"content":"12345678"}]}`, localReply(504, "response_timeout", chatPath))...)
		Expect(lastMetadata(replies)).To(And(HaveKeyWithValue("total_tokens", 2.0), HaveKeyWithValue("estimated", true)))
		Expect(b.counted("tars_usage_missing_total")).To(HaveLen(1))
		Expect(b.counted("tars_usage_estimated_tokens_total")).To(ConsistOf(
			`tars_usage_estimated_tokens_total{gen_ai_request_model="_other",gen_ai_token_type="input",tarsbackend="ns/name"} 2`))
	})

	It("is a limit's when it is a rate limit", func() {
		Expect(afterRequest(newBench(nil).talk(chat(plainChat, localReply(429, "request_rate_limited", chatPath, "retry-after", "9"))...))).
			To(ConsistOf(MatchRegexp(`^answer 429 .*x-tarsbackend-error-source=limit .*retry-after=9 .*"type":"rate_limit_error"`)))
	})

	DescribeTable("says when a limit is reset in the words that SDKs read",
		func(status int, sent []string, want, never string) {
			answer := newBench(nil).talk(localReply(status, "request_rate_limited", chatPath, sent...))[0]
			Expect(answer).To(And(ContainSubstring(want), Not(ContainSubstring(never))))
		},
		Entry("where Envoy says it in its own", 429, []string{"x-ratelimit-reset", "59"}, " x-ratelimit-reset=59 retry-after=59 ", "retry-after=0"),
		Entry("but not where they are there", 429, []string{"retry-after", "7", "x-ratelimit-reset", "59"}, " retry-after=7 ", "retry-after+="),
		Entry("nor where there are none", 429, nil, "answer 429 ", "retry-after"),
		Entry("nor where it is no number", 429, []string{"x-ratelimit-reset", "soon"}, "x-ratelimit-reset=soon ", "retry-after"),
		Entry("nor with another error", 503, []string{"x-ratelimit-reset", "59"}, "x-ratelimit-reset=59 ", "retry-after"),
	)

	It("has Anthropic's shape on messages", func() {
		Expect(newBench(nil).talk(localReply(401, "x", "/v1/messages?a=b"))[0]).To(MatchRegexp(`^answer 401 .*\{"type":"error".*"request_id":"id-2"\}$`))
	})

	It("ends a held request", func() {
		Expect(newBench(nil).talk(post(chatPath), requestBody(`{"model":"g`, false), localReply(408, "request_overall_timeout", chatPath), requestBody(`pt"}`, true))).
			To(ConsistOf(HavePrefix("answer 408 ")))
	})

	It("stays as it is when it is JSON already, but is marked", func() {
		b := newBench(nil)
		Expect(afterRequest(b.talk(chat(plainChat, localReply(503, "direct_response", chatPath, "content-type", jsonType), responseBody("{}", true))...))).
			To(Equal([]string{"response headers x-request-id=id-1 x-tarsbackend-error-source=gateway", "response {}$"}))
		Expect(b.counted("tars_requests_total")).To(ConsistOf(ContainSubstring(`source="gateway"`)))
		Expect(b.talk(localReply(503, "direct_response", chatPath, "content-type", jsonType, "x-tarsbackend-error-source", "extproc"))).
			To(Equal([]string{"response headers x-request-id=id-2 x-tarsbackend-error-source=extproc"}))
	})

	It("stays as it is when it is no error, or of a status that cannot be given, or of no route", func() {
		Expect(newBench(nil).talk(localReply(200, "direct_response", chatPath), responseBody("x", true))).To(Equal([]string{"response headers", "response x$"}))
		Expect(newBench(nil).talk(localReply(200, "x", chatPath, "x-tarsbackend-route-hash", "r1"))).To(Equal([]string{"response headers -x-tarsbackend-route-hash"}))
		Expect(newBench(nil).talk(localReply(499, "x", chatPath, "x-tarsbackend-route-hash", "r1"))).
			To(Equal([]string{"response headers x-request-id=id-2 x-tarsbackend-error-source=gateway -x-tarsbackend-route-hash"}))
		Expect(newBench(nil).talk(localReply(503, "direct_response", chatPath, "content-type", jsonType, "x-tarsbackend-error-source", "anything\xff"))).
			To(Equal([]string{"response headers x-request-id=id-2 x-tarsbackend-error-source=gateway"}))
		Expect(newBench(nil).talk(localReply(499, "x", chatPath))).To(Equal([]string{"response headers x-request-id=id-2 x-tarsbackend-error-source=gateway"}))
		Expect(newBench(nil).talk(localReply(401, "x", "/other"))).To(Equal([]string{"response headers x-request-id=id-2 x-tarsbackend-error-source=gateway"}))
	})
})

const stamped = "x-tarsbackend-config-hash=hash-1 x-tarsbackend-replica=pod-1 cache-control=no-store"

var _ = Describe("The canary", func() {
	It("is answered for any method and never reaches TARS", func() {
		for _, method := range []string{"GET", "POST", "HEAD", "DELETE"} {
			b := newBench(restricted)
			words := b.talk(requestHeaders(false, ":method", method, ":path", canaryPath), requestBody("x", true))
			Expect(words).To(ConsistOf(And(HavePrefix("answer 200 "+stamped+" content-type=application/json {"), HaveSuffix("}"))))
			Expect(b.counted("tars_requests_total")).To(BeEmpty(), "it is no request of an app")
		}
	})

	It("stamps the answer of an earlier filter", func() {
		b := newBench(nil)
		Expect(b.talk(localReply(401, "api_key_authn_failed", canaryPath, "content-type", "text/plain", "x-tarsbackend-route-hash", "route-1"), responseBody("no", true))).
			To(Equal([]string{"response headers " + stamped + " x-tarsbackend-route-hash=route-1 -x-tarsbackend-route-hash", "response no$"}))
		Expect(b.counted("tars_requests_total")).To(BeEmpty())
	})

	It("is at exactly its path", func() {
		Expect(newBench(nil).talk(get(canaryPath + "?x=y"))[0]).To(HavePrefix("answer 200 "))
		for _, path := range []string{canaryPath + "/", canaryPath + "x", "/v1/.well-known/tarsbackend/", "/v1//.well-known/tarsbackend/canary-token"} {
			Expect(newBench(nil).talk(get(path))[0]).To(HavePrefix("answer 404 "), path)
		}
	})
})
