// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"maps"
	"strings"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
)

const (
	jsonType   = "application/json"
	streamType = "text/event-stream; charset=utf-8"
	chatAnswer = `{"model":"gpt-1","choices":[{}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`
	delta      = `data: {"model":"gpt-1","choices":[{"delta":{}}],"usage":null}` + "\n\n"
	usageChunk = `data: {"model":"gpt-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}` + "\n\n"
	done       = "data: [DONE]\n\n"
)

// content is a chunk of a chat with some text.
func content(text string) string {
	return `data: {"model":"gpt-1","choices":[{"delta":{"content":"` + text + `"}}]}` + "\n\n"
}

// chat is a chat request for gpt and what follows.
func chat(body string, answer ...*extprocv3.ProcessingRequest) []*extprocv3.ProcessingRequest {
	return append([]*extprocv3.ProcessingRequest{post(chatPath), requestBody(body, true)}, answer...)
}

const plainChat = `{"model":"gpt"}`

// afterRequest leaves out the replies to the request.
func afterRequest(words []string) []string {
	for len(words) > 0 && strings.HasPrefix(words[0], "request ") {
		words = words[1:]
	}
	return words
}

// lastMetadata is the namespace tars after the last reply: Envoy adds what is new
// to what it was told before.
func lastMetadata(replies []*extprocv3.ProcessingResponse) map[string]any {
	all := map[string]any{}
	for _, reply := range replies {
		maps.Copy(all, reply.GetDynamicMetadata().GetFields()[config.MetadataNamespace].GetStructValue().AsMap())
	}
	return all
}

var _ = Describe("An answer of TARS", func() {
	It("passes piece by piece, and its usage is counted once", func() {
		b := newBench(nil)
		replies := b.play(chat(plainChat,
			responseHeaders(200, false, "content-type", jsonType, "x-tars-dropped-fields", "a"),
			responseBody(chatAnswer[:30], false), responseBody(chatAnswer[30:], false), responseBody("", true))...)
		var words []string
		for _, r := range replies {
			words = append(words, describe(r))
		}
		Expect(afterRequest(words)).To(Equal([]string{
			"response headers", "response " + chatAnswer[:30], "response " + chatAnswer[30:], "response $",
		}))
		Expect(lastMetadata(replies)).To(Equal(map[string]any{
			"total_tokens": 7.0, "input_tokens": 3.0, "output_tokens": 4.0, "cached_input_tokens": 0.0,
			"cache_creation_input_tokens": 0.0, "reasoning_tokens": 0.0, "estimated": false,
			"requested_model": "gpt", "model": "gpt", "response_model": "gpt-1", "operation": "chat",
		}))
		Expect(b.counted("gen_ai_client_token_usage_sum")).To(ConsistOf(
			`gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt",gen_ai_response_model="gpt-1",gen_ai_token_type="input",server_address="tars.example.com",server_port="443",tarsbackend="ns/name"} 3`,
			`gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt",gen_ai_response_model="gpt-1",gen_ai_token_type="output",server_address="tars.example.com",server_port="443",tarsbackend="ns/name"} 4`,
		))
		Expect(b.counted("tars_requests_total")).To(ConsistOf(`tars_requests_total{code="200",path="/v1/chat/completions",source="none",tarsbackend="ns/name"} 1`))
		Expect(b.counted("gen_ai_server_request_duration_seconds_count")).To(HaveLen(1))
		Expect(b.counted("gen_ai_server_time")).To(BeEmpty(), "nobody saw its first token")
		Expect(b.counted("tars_usage_missing")).To(BeEmpty())
		Expect(b.counted("tars_requests_aborted")).To(BeEmpty())
		Expect(b.counted("tars_requests_in_flight")).To(ConsistOf(`tars_requests_in_flight{tarsbackend="ns/name"} 0`))
	})

	DescribeTable("tells the request's id where TARS does not, under the name that the SDK reads",
		func(path string, sent []string, want string) {
			replies := newBench(nil).talk(post(path), requestBody(plainChat, true),
				bareResponseHeaders(200, false, append(sent, "content-type", jsonType)...), responseBody("{}", true))
			Expect(afterRequest(replies)).To(Equal([]string{want, "response {}$"}))
		},
		Entry("OpenAI's", chatPath, nil, "response headers x-request-id=id-1"),
		Entry("Anthropic's", "/v1/messages", nil, "response headers x-request-id=id-1 request-id=id-1"),
		Entry("Anthropic's, of which TARS sends one", "/v1/messages", []string{"request-id", "r"}, "response headers x-request-id=id-1"),
		Entry("OpenAI's, which TARS sends", chatPath, []string{"x-request-id", "r"}, "response headers"),
	)

	It("tells the request's id with an error and with a list of models that is rewritten", func() {
		Expect(afterRequest(newBench(nil).talk(chat(plainChat, bareResponseHeaders(401, false, "content-type", jsonType), responseBody("{}", true))...))).
			To(Equal([]string{"response headers x-request-id=id-1 x-tarsbackend-error-source=tars", "response {}$"}))
		Expect(afterRequest(newBench(restricted).talk(get("/v1/models"), bareResponseHeaders(200, false, "content-type", jsonType),
			responseBody(`{"data":[]}`, true)))).To(Equal([]string{"response headers x-request-id=id-1", `response {"data":[]}$`}))
	})

	It("has no id to tell of a request without one", func() {
		Expect(afterRequest(newBench(nil).talk(requestHeaders(true, ":method", "GET", ":path", "/v1/models"),
			bareResponseHeaders(200, false, "content-type", jsonType), responseBody("{}", true)))).
			To(Equal([]string{"response headers", "response {}$"}))
	})

	It("keeps Envoy told of running totals: an estimate until TARS tells", func() {
		prompt := `{"model":"gpt","stream":true,"messages":[{"role":"user","content":"ten bytes!"}]}` // 3 tokens
		words := []string{}
		replies := newBench(nil).play(chat(prompt, responseHeaders(200, false, "content-type", streamType),
			responseBody(content("a"), false), responseBody(content("five!"), false), responseBody(usageChunk, false), responseBody(done, true))...)
		for i, reply := range replies {
			told := lastMetadata(replies[:i+1])
			words = append(words, fmt.Sprintf("%T %v estimated %v", reply.GetResponse(), told["total_tokens"], told["estimated"])[len("*ext_procv3.ProcessingResponse_"):])
			Expect(told).To(HaveKey("total_tokens"))
			if told["estimated"] == true {
				Expect(told).NotTo(HaveKey("input_tokens"), "a figure of TARS")
			}
		}
		Expect(words).To(Equal([]string{
			"RequestHeaders 0 estimated false", "RequestBody 3 estimated true", "ResponseHeaders 3 estimated true",
			"ResponseBody 4 estimated true", "ResponseBody 5 estimated true", "ResponseBody 7 estimated false", "ResponseBody 7 estimated false",
		}))
		refused := newBench(nil).play(post(chatPath), requestBody("{}", true))
		Expect(lastMetadata(refused)).To(Equal(map[string]any{"total_tokens": 0.0, "estimated": false, "operation": "chat", "error_source": "client"}))
	})

	It("takes an estimate back that an error shows to be wrong", func() {
		replies := newBench(nil).play(chat(`{"model":"gpt","messages":[{"content":"four"}]}`, responseHeaders(429, true))...)
		Expect(lastMetadata(replies[:2])).To(And(HaveKeyWithValue("total_tokens", 1.0), HaveKeyWithValue("estimated", true)))
		Expect(lastMetadata(replies)).To(And(HaveKeyWithValue("total_tokens", 0.0), HaveKeyWithValue("estimated", false)))
	})

	It("keeps the usage chunk that the client asked for, and passes parts of events at once", func() {
		Expect(afterRequest(newBench(nil).talk(chat(`{"model":"gpt","stream":true,"stream_options":{"include_usage":true}}`,
			responseHeaders(200, false, "content-type", streamType),
			responseBody(delta[:9], false), responseBody(delta[9:]+usageChunk, false), responseBody(done, true))...))).
			To(Equal([]string{"response headers", "response " + delta[:9], "response " + delta[9:] + usageChunk, "response " + done + "$"}))
	})

	It("loses the usage chunk that only we asked for", func() {
		b := newBench(nil)
		replies := b.play(chat(`{"model":"gpt","stream":true}`,
			responseHeaders(200, false, "content-type", streamType),
			responseBody(delta, false), responseBody(usageChunk[:20], false), responseBody(usageChunk[20:], false), responseBody(done, false), responseBody("", true))...)
		var words []string
		for _, r := range replies {
			words = append(words, describe(r))
		}
		// An empty piece in its place carries what it told.
		Expect(afterRequest(words)).To(Equal([]string{"response headers", "response " + delta, "response ", "response " + done, "response $"}))
		Expect(lastMetadata(replies[:5])).To(HaveKeyWithValue("total_tokens", 7.0))
		Expect(lastMetadata(replies)).To(HaveKeyWithValue("total_tokens", 7.0))
		Expect(b.counted("gen_ai_client_token_usage_count")).To(HaveLen(2))
		Expect(b.counted("gen_ai_server_time_to_first_token_seconds_count")).To(HaveLen(1))
		Expect(b.counted("gen_ai_server_time_per_output_token_seconds_count")).To(HaveLen(1))
	})

	It("tells what it costs by now, although a piece of it is held", func() {
		b := newBench(nil)
		replies := b.play(chat(`{"model":"gpt","stream":true}`, responseHeaders(200, false, "content-type", streamType),
			responseBody(`data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":0}}`+"\n\n", false),
			responseBody(`data: {"choices":[{"delta":{"content":"12345678"}}`, false))...)
		Expect(lastMetadata(replies)).To(And(HaveKeyWithValue("total_tokens", 12.0), HaveKeyWithValue("estimated", true)))
		Expect(b.counted("tars_usage_estimated_tokens_total")).To(ConsistOf(HaveSuffix("} 10"), HaveSuffix("} 2")))
	})

	It("gives up what it holds at the end, with and without trailers", func() {
		head := chat(`{"model":"gpt","stream":true}`, responseHeaders(200, false, "content-type", streamType))
		Expect(afterRequest(newBench(nil).talk(append(head, responseBody("data: x", false), responseTrailers("a", "b"))...))).
			To(Equal([]string{"response headers", "response data: x", "response trailers"}))
		Expect(afterRequest(newBench(nil).talk(append(head, responseBody("data: x", true))...))).
			To(Equal([]string{"response headers", "response data: x$"}))
		Expect(afterRequest(newBench(nil).talk(append(head, responseBody("data: x", false), responseBody("", true))...))).
			To(Equal([]string{"response headers", "response data: x$"}))
	})

	DescribeTable("with an error passes untouched, is marked and counted",
		func(status int, contentType, body, class, source string) {
			b := newBench(nil)
			replies := b.play(chat(plainChat, responseHeaders(status, false, "content-type", contentType, "retry-after", "3"), responseBody(body, true))...)
			words := []string{}
			for _, r := range replies {
				words = append(words, describe(r))
			}
			mark := ""
			if source != "none" {
				mark = " x-tarsbackend-error-source=" + source
			}
			Expect(afterRequest(words)).To(Equal([]string{"response headers" + mark, "response " + body + "$"}))
			Expect(lastMetadata(replies)).To(HaveKeyWithValue("error_class", class))
			Expect(b.counted("tars_upstream_errors_total")).To(ConsistOf(HavePrefix(`tars_upstream_errors_total{class="` + class + `"`)))
			Expect(b.counted("tars_requests_total")).To(ConsistOf(ContainSubstring(`source="` + source + `"`)))
			Expect(b.counted("tars_usage_missing")).To(BeEmpty())
		},
		Entry("401", 401, jsonType, `{"error":{"code":401,"message":"Invalid API key"}}`, "authentication", "tars"),
		Entry("402", 402, jsonType, `{"error":{"code":402}}`, "credits", "tars"),
		Entry("429", 429, jsonType, `{"error":{"code":"x"}}`, "rate_limit", "tars"),
		Entry("503 in text", 503, "text/plain", `busy`, "server", "tars"),
		Entry("not ready", 503, jsonType, `{"error":{"code":"model_not_ready"}}`, "model_not_ready", "tars"),
		Entry("inside a 200", 200, jsonType, `{"error":{"code":402,"message":"Insufficient credits"}}`, "credits", "none"),
		Entry("inside a stream", 200, streamType, `data: {"error":{"code":429}}`+"\n\n", "rate_limit", "none"),
	)

	It("that leads elsewhere costs nothing", func() {
		b := newBench(nil)
		replies := b.play(chat(plainChat, responseHeaders(307, false, "content-type", jsonType, "location", "/"), responseBody("{}", true))...)
		Expect(lastMetadata(replies)).To(And(HaveKeyWithValue("total_tokens", 0.0), HaveKeyWithValue("estimated", false)))
		Expect(b.counted("tars_usage_missing")).To(BeEmpty())
	})

	It("is read as the stream that it begins like, where it does not say what it is", func() {
		const streamed = `{"model":"gpt","stream":true}`
		for _, headers := range [][]string{nil, {"content-type", "text/plain"}, {"content-type", "text/html; charset=utf-8"}} {
			b := newBench(nil)
			replies := b.play(chat(streamed, responseHeaders(200, false, headers...), responseBody(delta+usageChunk+done, true))...)
			Expect(describe(replies[len(replies)-1])).To(Equal("response " + delta + done + "$"))
			Expect(lastMetadata(replies)).To(HaveKeyWithValue("total_tokens", 7.0))
			Expect(b.counted("gen_ai_server_time_to_first_token_seconds_count")).To(HaveLen(1))

			b = newBench(nil)
			replies = b.play(chat(streamed, responseHeaders(200, false, headers...), responseBody(chatAnswer, true))...)
			Expect(describe(replies[len(replies)-1])).To(Equal("response " + chatAnswer + "$"))
			Expect(lastMetadata(replies)).To(HaveKeyWithValue("total_tokens", 7.0))
			Expect(b.counted("gen_ai_server_time_to_first_token_seconds_count")).To(BeEmpty())
		}
	})

	It("that is lines of something else passes line by line", func() {
		Expect(afterRequest(newBench(nil).talk(chat(`{"model":"gpt","stream":true}`, responseHeaders(200, false, "content-type", "application/x-ndjson"),
			responseBody("{\"a\":1}\n", false), responseBody("{\"a\":2}\n", false))...))).
			To(Equal([]string{"response headers", "response {\"a\":1}\n", "response {\"a\":2}\n"}))
	})

	It("of absurd numbers is bounded, and harms no other", func() {
		turns := strings.TrimSuffix(strings.Repeat(`{"input_tokens":1152921504606846976,"output_tokens":1152921504606846976},`, 9), ",")
		b := newBench(nil)
		replies := b.play(post("/v1/messages"), requestBody(`{"model":"m","stream":true}`, true), responseHeaders(200, false, "content-type", streamType),
			responseBody(`data: {"usage":{"iterations":[`+turns+`]}}`+"\n\n"+`data: {"delta":{"text":"x"}}`+"\n\n", false))
		Expect(lastMetadata(replies)["total_tokens"]).To(BeNumerically(">=", 1<<61))
		Expect(b.counted("tars_usage_missing_total")).To(HaveLen(1))
	})

	It("that tells of what failed is not failed where it is only read", func() {
		b := newBench(forwarding)
		read := func(path string) {
			b.play(get(path), responseHeaders(200, false, "content-type", jsonType), responseBody(`{"status":"failed","error":{"code":"server_error"}}`, true))
		}
		read("/v1/responses/r")
		Expect(b.counted("tars_upstream_errors_total")).To(BeEmpty())
		read("/v1/models")
		Expect(b.counted("tars_upstream_errors_total")).To(HaveLen(1))
	})

	It("is marked even when it has no body", func() {
		b := newBench(nil)
		Expect(afterRequest(b.talk(chat(plainChat, responseHeaders(503, true))...))).
			To(Equal([]string{"response headers x-tarsbackend-error-source=tars"}))
		Expect(b.counted("tars_upstream_errors_total")).To(HaveLen(1))
		Expect(b.counted("tars_requests_aborted")).To(BeEmpty())
	})

	It("cannot speak in our name", func() {
		Expect(afterRequest(newBench(nil).talk(chat(plainChat, responseHeaders(200, true, "x-tarsbackend-error-source", "client"))...))).
			To(Equal([]string{"response headers -x-tarsbackend-error-source"}))
		Expect(afterRequest(newBench(nil).talk(chat(plainChat, responseHeaders(200, false), responseTrailers("x-tarsbackend-a", "b"))...))[1]).
			To(Equal("response trailers -x-tarsbackend-a"))
	})

	DescribeTable("without usage is counted as such",
		func(aborted bool, answer ...*extprocv3.ProcessingRequest) {
			b := newBench(nil)
			b.play(chat(plainChat, answer...)...)
			Expect(b.counted("tars_usage_missing_total")).To(ConsistOf(`tars_usage_missing_total{path="/v1/chat/completions",tarsbackend="ns/name"} 1`))
			if aborted {
				Expect(b.counted("tars_requests_aborted_total")).To(ConsistOf(`tars_requests_aborted_total{path="/v1/chat/completions",tarsbackend="ns/name"} 1`))
			} else {
				Expect(b.counted("tars_requests_aborted_total")).To(BeEmpty())
			}
			Expect(b.counted("gen_ai_client_token_usage")).To(BeEmpty())
		},
		Entry("JSON without usage", false, responseHeaders(200, false, "content-type", jsonType), responseBody(`{}`, true)),
		Entry("a page", false, responseHeaders(200, false, "content-type", "text/html"), responseBody("<html>"+chatAnswer, true)),
		Entry("compressed", false, responseHeaders(200, false, "content-type", jsonType, "content-encoding", "gzip"), responseBody(chatAnswer, true)),
		Entry("no body", false, responseHeaders(204, true)),
		Entry("the client hung up in a stream", true, responseHeaders(200, false, "content-type", streamType), responseBody(delta, false)),
		Entry("the client hung up before the answer", true),
	)

	DescribeTable("is metered whatever it is called", func(headers ...string) {
		b := newBench(nil)
		b.play(chat(plainChat, responseHeaders(200, false, headers...), responseBody(chatAnswer, true))...)
		Expect(b.counted("gen_ai_client_token_usage_count")).To(HaveLen(2))
		Expect(b.counted("tars_usage_missing")).To(BeEmpty())
	},
		Entry("nothing"), Entry("text", "content-type", "text/json"), Entry("of another charset", "content-type", "application/json; charset=us-ascii"),
		Entry("broken", "content-type", "application/json;="),
	)

	It("settles what a client that hung up has had", func() {
		b := newBench(nil)
		b.play(chat(plainChat, responseHeaders(200, false, "content-type", streamType), responseBody(delta+usageChunk, false))...)
		Expect(b.counted("gen_ai_client_token_usage_count")).To(HaveLen(2))
		Expect(b.counted("tars_usage_missing")).To(BeEmpty())
		Expect(b.counted("tars_requests_aborted_total")).To(HaveLen(1))
	})

	It("counts as 499 a client that left before the body's end, and not as missing usage", func() {
		b := newBench(nil)
		b.play(post(chatPath), requestBody(`{"model":`, false))
		Expect(b.counted("tars_requests_total")).To(ConsistOf(ContainSubstring(`code="499"`)))
		Expect(b.counted("tars_usage_missing")).To(BeEmpty())
	})

	It("may come while a request of another path still passes", func() {
		Expect(newBench(forwarding).talk(
			post("/v1/files"), requestBody("a", false), responseHeaders(200, false), requestBody("b", false), responseBody("x", false), requestBody("c", true), responseBody("y", true),
		)[1:]).To(Equal([]string{"request a", "response headers", "request b", "response x", "request c$", "response y$"}))
	})

	It("labels what is no model's answer by its path only", func() {
		b := newBench(forwarding)
		b.play(get("/v1/files?x=y"), responseHeaders(200, true))
		Expect(b.counted("tars_requests_total")).To(ConsistOf(`tars_requests_total{code="200",path="other",source="none",tarsbackend="ns/name"} 1`))
		Expect(b.counted("gen_ai_")).To(BeEmpty())
	})

	It("tells Anthropic's messages apart", func() {
		b := newBench(nil)
		b.play(post("/v1/messages"), requestBody(`{"model":"claude"}`, true), responseHeaders(200, false, "content-type", jsonType),
			responseBody(`{"model":"claude","usage":{"input_tokens":1,"output_tokens":2}}`, true))
		Expect(b.counted("gen_ai_client_token_usage_sum")).To(HaveEach(ContainSubstring(`gen_ai_provider_name="anthropic"`)))
	})
})

var _ = Describe("The list of models", func() {
	const list = `{"object":"list","data":[{"id":"gpt-4o-mini"},{"id":"gpt-5"},{"id":"xai/grok-4.5"}]}`

	It("is narrowed and gets aliases, with its headers held until then", func() {
		Expect(newBench(restricted).talk(get("/v1/models"),
			responseHeaders(200, false, "content-type", jsonType, "x-tarsbackend-a", "b"), responseBody(list[:40], false), responseBody(list[40:], true),
		)).To(Equal([]string{
			"request headers accept-encoding=identity x-tarsbackend-pass=" + token + " route again",
			"response headers -x-tarsbackend-a",
			`response {"object":"list","data":[{"id":"gpt-4o-mini"},{"id":"fast"}]}$`,
		}))
	})

	It("may have trailers", func() {
		Expect(newBench(restricted).talk(get("/v1/models"), responseHeaders(200, false, "content-type", jsonType), responseBody(list, false), responseTrailers())[1:]).
			To(Equal([]string{"response headers", `response {"object":"list","data":[{"id":"gpt-4o-mini"},{"id":"fast"}]}`, "response trailers"}))
	})

	It("passes at once where there is nothing to change", func() {
		Expect(newBench(nil).talk(get("/v1/models"), responseHeaders(200, false, "content-type", jsonType), responseBody(list, false))[1:]).
			To(Equal([]string{"response headers", "response " + list}))
		Expect(newBench(restricted).talk(get("/v1/models"), responseHeaders(200, false, "content-type", "text/html"), responseBody("x", true))[1:]).
			To(Equal([]string{"response headers", "response x$"}))
		Expect(newBench(restricted).talk(get("/v1/models"), responseHeaders(500, false, "content-type", jsonType), responseBody("{", false))[1:]).
			To(Equal([]string{"response headers x-tarsbackend-error-source=tars", "response {"}))
	})

	DescribeTable("is narrowed whatever it is called",
		func(status int, headers ...string) {
			Expect(newBench(restricted).talk(get("/v1/models"), responseHeaders(status, false, headers...), responseBody(list, true))[1:]).
				To(Equal([]string{"response headers", `response {"object":"list","data":[{"id":"gpt-4o-mini"},{"id":"fast"}]}$`}))
		},
		Entry("nothing", 200), Entry("text", 200, "content-type", "text/plain"), Entry("of another charset", 200, "content-type", "application/json; charset=iso-8859-1"),
		Entry("a part", 206, "content-type", jsonType), Entry("new", 201, "content-type", jsonType),
	)

	It("shows an error inside a 200 untouched", func() {
		b := newBench(restricted)
		Expect(b.talk(get("/v1/models"), responseHeaders(200, false, "content-type", jsonType), responseBody(`{"error":{"code":401}}`, true))[2]).
			To(Equal(`response {"error":{"code":401}}$`))
		Expect(b.counted("tars_upstream_errors_total")).To(ConsistOf(ContainSubstring(`class="authentication"`)))
	})

	It("is sent in pieces of at most 64 KiB", func() {
		long := `{"data":[{"id":"claude-1","x":"` + strings.Repeat("x", 150_000) + `"}]}`
		replies := newBench(restricted).play(get("/v1/models"), responseHeaders(200, false, "content-type", jsonType), responseBody(long, true))
		got := ""
		for _, r := range replies[2:] {
			body := r.GetResponseBody().GetResponse().GetBodyMutation().GetStreamedResponse().GetBody()
			Expect(len(body)).To(BeNumerically("<=", 64<<10))
			got += string(body)
		}
		Expect(same(got, long)).To(BeTrue())
	})

	DescribeTable("is refused when it cannot be narrowed",
		func(want string, answer ...*extprocv3.ProcessingRequest) {
			words := newBench(restricted).talk(append([]*extprocv3.ProcessingRequest{get("/v1/models")}, answer...)...)
			Expect(words).To(HaveLen(2))
			Expect(words[1]).To(MatchRegexp(want))
		},
		Entry("compressed", `^answer 502 .*model_list_unreadable`, responseHeaders(200, false, "content-type", jsonType, "content-encoding", "br"), responseBody("x", true)),
		Entry("no memory", `^answer 503 .*overloaded`, responseHeaders(200, false, "content-type", jsonType), responseBody(strings.Repeat(" ", 2<<20), true)),
		Entry("too large", `^answer 502 .*model_list_unreadable`, responseHeaders(200, false, "content-type", jsonType), responseBody(strings.Repeat(" ", 4<<20+1), true)),
	)

	It("shows one model, by its alias too", func() {
		Expect(newBench(restricted).talk(get("/v1/models/fast?x=y"), responseHeaders(200, false, "content-type", jsonType), responseBody(`{"id":"xai/grok-4.5","x":1}`, true))).
			To(Equal([]string{
				"request headers accept-encoding=identity :path=/v1/models/xai/grok-4.5?x=y x-tarsbackend-pass=" + token + " route again",
				"response headers", `response {"id":"fast","x":1}$`,
			}))
		Expect(newBench(restricted).talk(get("/v1/models/claude-3"), responseHeaders(200, false, "content-type", jsonType), responseBody(`{"id":"claude-3"}`, true))).
			To(Equal([]string{
				"request headers accept-encoding=identity x-tarsbackend-pass=" + token + " route again",
				"response headers", `response {"id":"claude-3"}$`,
			}))
	})

	It("shows one model whole, where it has another name", func() {
		Expect(newBench(restricted).talk(get("/v1/models/fast", "range", "bytes=0-20"))[0]).To(ContainSubstring(" -range "))
		Expect(newBench(restricted).talk(get("/v1/models/claude-3", "range", "bytes=0-20"))[0]).NotTo(ContainSubstring("-range"))
	})

	It("finds an alias's target below the prefix, whatever characters it has", func() {
		b := newBench(func(r *config.Route) {
			r.PathPrefix, r.CanaryPath = "/llm", "/llm/v1/x"
			r.Aliases = []config.Alias{{Name: "a", Model: "b c/d?e"}}
		})
		Expect(b.talk(get("/llm/v1/models/a"))[0]).To(ContainSubstring(":path=/llm/v1/models/b%20c/d%3Fe "))
	})

	It("has no body to a HEAD", func() {
		Expect(newBench(restricted).talk(
			requestHeaders(true, ":method", "HEAD", ":path", "/v1/models"), responseHeaders(200, true, "content-type", jsonType),
		)[1:]).To(Equal([]string{"response headers"}))
	})
})
