// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"runtime"
	"strings"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/protobuf/proto"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/policy"
	"github.com/tars-operator/tars-operator/extproc/server"
	"github.com/tars-operator/tars-operator/extproc/transport"
)

// passed is the reply to a request's headers that lets it go to TARS.
func passed(model string) string {
	return "request headers x-tarsbackend-model=" + model + " accept-encoding=identity x-tarsbackend-pass=" + token + " route again"
}

// sentBody joins the request's body as TARS would see it.
func sentBody(replies []*extprocv3.ProcessingResponse) (body string, ends int) {
	var all strings.Builder
	for _, reply := range replies {
		if r := reply.GetRequestBody(); r != nil {
			piece := r.GetResponse().GetBodyMutation().GetStreamedResponse()
			all.Write(piece.GetBody())
			if piece.GetEndOfStream() {
				ends++
			}
		}
	}
	return all.String(), ends
}

var _ = Describe("A request for a model", func() {
	It("is held until its body was read, then passes whole", func() {
		Expect(newBench(nil).talk(
			post(chatPath), requestBody(`{"model":`, false), requestBody(`"gpt"}`, true),
		)).To(Equal([]string{passed("gpt"), `request {"model":"gpt"}$`}))
	})

	It("is not passed on before its end", func() {
		Expect(newBench(nil).talk(post(chatPath), requestBody(`{"model":"gpt"}`, false))).To(BeEmpty())
	})

	It("may end with an empty piece", func() {
		Expect(newBench(nil).talk(post(chatPath), requestBody(`{"model":"gpt"}`, false), requestBody("", true))).
			To(Equal([]string{passed("gpt"), `request {"model":"gpt"}$`}))
	})

	It("may not end with trailers, held or not: Envoy would send its body twice", func() {
		Expect(newBench(nil).talk(post(chatPath), requestBody(plainChat, false), requestTrailers("a", "b"))).
			To(ConsistOf(MatchRegexp(refusal("400", "trailers_not_supported"))))
		Expect(newBench(forwarding).talk(post("/v1/files"), requestBody("a", false), requestTrailers("a", "b"))[2]).
			To(MatchRegexp(refusal("400", "trailers_not_supported")))
	})

	It("loses the headers of ours that the client sent", func() {
		Expect(newBench(nil).talk(
			post(chatPath, "x-tarsbackend-model", "forged", "x-tarsbackend-other", "x", "x-tars-supports-reasoning", "true"),
			requestBody(`{"model":"gpt"}`, true),
		)[0]).To(Equal("request headers x-tarsbackend-model=gpt accept-encoding=identity x-tarsbackend-pass=" + token +
			" -x-tarsbackend-model -x-tarsbackend-other route again"))
	})

	DescribeTable("is sent with exactly these changes, however it is cut",
		func(change func(*config.Route), sent, want, model string) {
			b := newBench(change)
			for size := 1; size <= len(sent); size++ {
				messages := []*extprocv3.ProcessingRequest{post(chatPath)}
				for rest := sent; rest != ""; {
					n := min(size, len(rest))
					messages = append(messages, requestBody(rest[:n], n == len(rest)))
					rest = rest[n:]
				}
				replies := b.play(messages...)
				body, ends := sentBody(replies)
				Expect(body).To(Equal(want), "pieces of %d", size)
				Expect(ends).To(Equal(1))
				Expect(describe(replies[0])).To(Equal(passed(model)))
			}
		},
		Entry("nothing", nil, ` { "model" : "gpt" , "x":[1, 2] } `, ` { "model" : "gpt" , "x":[1, 2] } `, "gpt"),
		Entry("an escaped key", nil, `{"mod\u0065l":"g\u0070t"}`, `{"mod\u0065l":"g\u0070t"}`, "gpt"),
		Entry("a nested model", nil, `{"a":{"model":"x"},"model":"gpt"}`, `{"a":{"model":"x"},"model":"gpt"}`, "gpt"),
		Entry("an alias", restricted, `{"stream":false,"model":"fast","x":"fast"}`, `{"stream":false,"model":"xai/grok-4.5","x":"fast"}`, "xai/grok-4.5"),
		Entry("an alias written with escapes", restricted, `{"model" : "f\u0061st"}`, `{"model" : "xai/grok-4.5"}`, "xai/grok-4.5"),
		Entry("an alias with quotes in its target", func(r *config.Route) { r.Aliases = []config.Alias{{Name: "a", Model: `b"c`}} },
			`{"model":"a"}`, `{"model":"b\"c"}`, `b"c`),
		Entry("an alias and usage, the model last", restricted, `{"stream":true,"model":"fast"}`,
			`{"stream":true,"model":"xai/grok-4.5","stream_options":{"include_usage":true}}`, "xai/grok-4.5"),
		Entry("an alias and usage, the options first", restricted, `{"stream_options":{"include_usage":false},"stream":true,"model":"fast"}`,
			`{"stream_options":{"include_usage":true},"stream":true,"model":"xai/grok-4.5"}`, "xai/grok-4.5"),
		Entry("usage asked for, options absent", nil, `{"model":"gpt","stream":true } `, `{"model":"gpt","stream":true ,"stream_options":{"include_usage":true}} `, "gpt"),
		Entry("usage asked for, options null", nil, `{"model":"gpt","stream":true,"stream_options":null}`, `{"model":"gpt","stream":true,"stream_options":{"include_usage":true}}`, "gpt"),
		Entry("usage asked for, options empty", nil, `{"model":"gpt","stream":true,"stream_options":{ }}`, `{"model":"gpt","stream":true,"stream_options":{"include_usage":true }}`, "gpt"),
		Entry("usage asked for, other options", nil, `{"model":"gpt","stream":true,"stream_options":{"x":1}}`, `{"model":"gpt","stream":true,"stream_options":{"include_usage":true,"x":1}}`, "gpt"),
		Entry("usage asked for, false before", nil, `{"model":"gpt","stream":true,"stream_options":{"include_usage": false }}`, `{"model":"gpt","stream":true,"stream_options":{"include_usage": true }}`, "gpt"),
		Entry("usage asked for, null before", nil, `{"model":"gpt","stream":true,"stream_options":{"include_usage":null}}`, `{"model":"gpt","stream":true,"stream_options":{"include_usage":true}}`, "gpt"),
		Entry("usage asked for by the client", nil, `{"model":"gpt","stream":true,"stream_options":{"include_usage":true}}`, `{"model":"gpt","stream":true,"stream_options":{"include_usage":true}}`, "gpt"),
		Entry("no stream, options", nil, `{"model":"gpt","stream":false,"stream_options":{}}`, `{"model":"gpt","stream":false,"stream_options":{}}`, "gpt"),
		Entry("no stream, null", nil, `{"model":"gpt","stream":null}`, `{"model":"gpt","stream":null}`, "gpt"),
		Entry("no stream, include_usage of another kind", nil, `{"model":"gpt","stream":false,"stream_options":{"include_usage":0}}`, `{"model":"gpt","stream":false,"stream_options":{"include_usage":0}}`, "gpt"),
		Entry("options of another kind", nil, `{"model":"gpt","stream":true,"stream_options":7}`, `{"model":"gpt","stream":true,"stream_options":7}`, "gpt"),
	)

	DescribeTable("is refused on every path where a field must be true or false, by its name",
		func(body, field string) {
			for _, path := range policy.InferencePaths() {
				Expect(newBench(nil).talk(post(path), requestBody(body, true))).
					To(ConsistOf(And(HavePrefix("answer 400 "), ContainSubstring(`\"`+field+`\" must be true or false`))), path)
			}
			Expect(newBench(nil).talk(post(chatPath), requestBody(body, true))[0]).To(ContainSubstring(`"param":"` + field + `"`))
		},
		Entry("stream", `{"model":"gpt","stream":"true"}`, "stream"),
		Entry("an option of it", `{"model":"gpt","stream":true,"stream_options":{"include_usage":1}}`, "stream_options.include_usage"),
	)

	It("asks for usage where the API has such an option only", func() {
		for path, want := range map[string]bool{chatPath: true, "/v1/completions": true, "/v1/responses": false, "/v1/messages": false, "/v1/embeddings": false} {
			body, _ := sentBody(newBench(nil).play(post(path), requestBody(`{"model":"gpt","stream":true}`, true)))
			Expect(strings.Contains(body, "include_usage")).To(Equal(want), path)
		}
	})

	It("is sent on in pieces of at most 64 KiB, unchanged", func() {
		sent := `{"x":"` + strings.Repeat("0123456789", 15_000) + `","model":"fast","y":"` + strings.Repeat("z", 30_000) + `"}`
		replies := newBench(restricted).play(post(chatPath), requestBody(sent[:100_000], false), requestBody(sent[100_000:], true))
		for _, reply := range replies {
			Expect(len(reply.GetRequestBody().GetResponse().GetBodyMutation().GetStreamedResponse().GetBody())).To(BeNumerically("<=", 64<<10))
		}
		body, ends := sentBody(replies)
		Expect(same(body, strings.Replace(sent, `"model":"fast"`, `"model":"xai/grok-4.5"`, 1))).To(BeTrue())
		Expect(ends).To(Equal(1))
	})

	It("keeps its query and its prefix", func() {
		b := newBench(func(r *config.Route) { r.PathPrefix, r.CanaryPath = "/llm", "/llm/v1/x" })
		Expect(b.talk(post("/llm"+chatPath+"?a=b"), requestBody(`{"model":"gpt"}`, true))[0]).To(Equal(passed("gpt")))
		Expect(b.talk(post(chatPath))[0]).To(HavePrefix("answer 404"))
	})
})

// refusal is a body of ours in OpenAI's shape.
func refusal(status, code string) string {
	return "^answer " + status + ` content-type=application/json x-tarsbackend-error-source=client x-request-id=id-1 x-client-request-id=id-1.* \{"error":\{"message":".*","type":"invalid_request_error","param":(null|"[a-z_.]+"),"code":"` + code + `"\}\}$`
}

var _ = Describe("A request that is refused", func() {
	DescribeTable("because of its headers",
		func(m *extprocv3.ProcessingRequest, status, code string) {
			b := newBench(restricted)
			words := b.talk(m, requestBody("ignored", false))
			Expect(words).To(HaveLen(1))
			Expect(words[0]).To(MatchRegexp(refusal(status, code)))
		},
		Entry("GET", get(chatPath), "405", "method_not_allowed"),
		Entry("PUT", requestHeaders(false, ":method", "PUT", ":path", chatPath, "x-request-id", "id-1"), "405", "method_not_allowed"),
		Entry("OPTIONS", requestHeaders(true, ":method", "OPTIONS", ":path", chatPath, "x-request-id", "id-1"), "405", "method_not_allowed"),
		Entry("an upgrade", post(chatPath, "upgrade", "websocket"), "400", "upgrade_not_supported"),
		Entry("no body", requestHeaders(true, ":method", "POST", ":path", chatPath, "x-request-id", "id-1", "content-type", "application/json"), "400", "missing_body"),
		Entry("no content type", requestHeaders(false, ":method", "POST", ":path", chatPath, "x-request-id", "id-1"), "415", "unsupported_media_type"),
		Entry("another content type", requestHeaders(false, ":method", "POST", ":path", chatPath, "x-request-id", "id-1", "content-type", "text/plain"), "415", "unsupported_media_type"),
		Entry("two content types", post(chatPath, "content-type", "text/plain"), "415", "unsupported_media_type"),
		Entry("UTF-16", requestHeaders(false, ":method", "POST", ":path", chatPath, "x-request-id", "id-1", "content-type", "application/json; charset=utf-16"), "415", "unsupported_media_type"),
		Entry("compressed", post(chatPath, "content-encoding", "gzip"), "415", "unsupported_content_encoding"),
		Entry("compressed, as a second header says", post(chatPath, "content-encoding", "identity", "content-encoding", "gzip"), "415", "unsupported_content_encoding"),
		Entry("too long by its own word", post(chatPath, "content-length", "200001"), "413", "request_too_large"),
		Entry("an unlisted path", post("/v1/images/generations"), "404", "unknown_url"),
		Entry("a disguised path", post(chatPath+"/"), "404", "unknown_url"),
		Entry("a model's deletion", requestHeaders(true, ":method", "DELETE", ":path", "/v1/models/claude-3", "x-request-id", "id-1"), "405", "method_not_allowed"),
		Entry("models by POST", post("/v1/models"), "405", "method_not_allowed"),
		Entry("the entry of a model that is not allowed", get("/v1/models/gpt-5"), "404", "model_not_found"),
		Entry("a path of no route", get("/v2/x"), "404", "unknown_url"),
	)

	DescribeTable("content types that are JSON",
		func(contentType string) {
			Expect(newBench(nil).talk(
				requestHeaders(false, ":method", "POST", ":path", chatPath, "content-type", contentType, "content-encoding", "identity", "content-length", "15"),
				requestBody(`{"model":"gpt"}`, true),
			)).To(HaveLen(2))
		},
		Entry(nil, "application/json"), Entry(nil, "Application/JSON; charset=UTF-8"), Entry(nil, `application/json;charset="utf8"`), Entry(nil, "application/vnd.api+json"),
	)

	DescribeTable("because of its body",
		func(body, status, code string) {
			for _, size := range []int{len(body), 1} {
				messages := []*extprocv3.ProcessingRequest{post(chatPath)}
				for rest := body; rest != ""; rest = rest[min(size, len(rest)):] {
					messages = append(messages, requestBody(rest[:min(size, len(rest))], len(rest) <= size))
				}
				b := newBench(restricted)
				words := b.talk(messages...)
				Expect(words).To(HaveLen(1))
				Expect(words[0]).To(MatchRegexp(refusal(status, code)))
				Expect(b.counted("tars_requests_total")).To(ConsistOf(
					`tars_requests_total{code="` + status + `",path="/v1/chat/completions",source="client",tarsbackend="ns/name"} 1`))
				Expect(b.counted("tars_usage_missing")).To(BeEmpty())
			}
		},
		Entry("no JSON", `{"model":`, "400", "invalid_json"),
		Entry("broken JSON", `{"model":"gpt-4o-mini",}`, "400", "invalid_json"),
		Entry("more than one document", `{"model":"gpt-4o-mini"}{}`, "400", "invalid_json"),
		Entry("an array", `[{"model":"gpt-4o-mini"}]`, "400", "invalid_json"),
		Entry("a string", `"gpt-4o-mini"`, "400", "invalid_json"),
		Entry("no model", `{"models":"gpt-4o-mini","x":{"model":"gpt-4o-mini"}}`, "400", "missing_required_parameter"),
		Entry("a model in another case only", `{"Model":"gpt-4o-mini"}`, "400", "missing_required_parameter"),
		Entry("two models", `{"model":"gpt-4o-mini","model":"gpt-4o-mini"}`, "400", "duplicate_parameter"),
		Entry("two models, one escaped", `{"model":"gpt-4o-mini","mod\u0065l":"gpt-5"}`, "400", "duplicate_parameter"),
		Entry("two models, one in another case", `{"model":"gpt-4o-mini","MODEL":"gpt-5"}`, "400", "duplicate_parameter"),
		Entry("two models, one that a C library takes for one", `{"model":"gpt-4o-mini","model\u0000x":"gpt-5"}`, "400", "duplicate_parameter"),
		Entry("two models, one that a lenient decoder takes for one", "{\"model\":\"gpt-4o-mini\",\"mod\xffel\":\"gpt-5\"}", "400", "duplicate_parameter"),
		Entry("stream twice", `{"model":"gpt-4o-mini","stream":true,"stream":false}`, "400", "duplicate_parameter"),
		Entry("stream in another case", `{"model":"gpt-4o-mini","Stream":true}`, "400", "duplicate_parameter"),
		Entry("stream with a long s", `{"model":"gpt-4o-mini","ſtream":true}`, "400", "duplicate_parameter"),
		Entry("options twice", `{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},"stream_options":{}}`, "400", "duplicate_parameter"),
		Entry("options in another case", `{"model":"gpt-4o-mini","stream":true,"STREAM_OPTIONS":{"include_usage":true}}`, "400", "duplicate_parameter"),
		Entry("include_usage twice", `{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true,"include_usage":false}}`, "400", "duplicate_parameter"),
		Entry("stream as a text", `{"model":"gpt-4o-mini","stream":"true"}`, "400", "invalid_type"),
		Entry("stream as a number", `{"model":"gpt-4o-mini","stream":1}`, "400", "invalid_type"),
		Entry("stream as an object", `{"model":"gpt-4o-mini","stream":{}}`, "400", "invalid_type"),
		Entry("stream as an array", `{"model":"gpt-4o-mini","stream":[]}`, "400", "invalid_type"),
		Entry("include_usage as a number", `{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":0}}`, "400", "invalid_type"),
		Entry("include_usage in another case", `{"model":"gpt-4o-mini","stream":true,"stream_options":{"Include_usage":false}}`, "400", "duplicate_parameter"),
		Entry("nesting that is too deep", `{"model":"gpt-4o-mini","x":`+strings.Repeat("[", 10000)+strings.Repeat("]", 10000)+`}`, "400", "invalid_json"),
		Entry("a byte order mark", "\ufeff{\"model\":\"gpt-4o-mini\"}", "400", "invalid_json"),
		Entry("UTF-16", "{\x00\"\x00", "400", "invalid_json"),
		Entry("a NUL behind it", "{\"model\":\"gpt-4o-mini\"}\x00", "400", "invalid_json"),
		Entry("a model with a NUL", `{"model":"claude-\u0000"}`, "400", "invalid_model"),
		Entry("a model with half a pair", `{"model":"claude-\ud800"}`, "400", "invalid_model"),
		Entry("a model that is a number", `{"model":7}`, "400", "invalid_model"),
		Entry("a model that is null", `{"model":null}`, "400", "invalid_model"),
		Entry("an empty model", `{"model":""}`, "400", "invalid_model"),
		Entry("a model with a line feed", `{"model":"claude-\n"}`, "400", "invalid_model"),
		Entry("a model that is no UTF-8", "{\"model\":\"claude-\xff\"}", "400", "invalid_model"),
		Entry("a model that is very long", `{"model":"claude-`+strings.Repeat("x", 5000)+`"}`, "400", "invalid_model"),
		Entry("a model that is not allowed", `{"model":"gpt-5"}`, "404", "model_not_found"),
		Entry("the target of an alias", `{"model":"xai/grok-4.5"}`, "404", "model_not_found"),
	)

	It("names the allowed models", func() {
		Expect(newBench(restricted).talk(post(chatPath), requestBody(`{"model":"gpt-5"}`, true))[0]).
			To(ContainSubstring(`The model \"gpt-5\" is not allowed on this gateway. Allowed: fast, gpt-4o-mini, claude-*.`))
	})

	It("is told why at once, not at the end of the body", func() {
		Expect(newBench(nil).talk(post(chatPath), requestBody(`{]`, false))).To(HaveLen(1))
	})

	It("may also begin with nothing at all", func() {
		Expect(newBench(nil).talk(post(chatPath), requestBody("", true))[0]).To(MatchRegexp(refusal("400", "invalid_json")))
	})

	It("gets Anthropic's shape where it speaks Anthropic's API", func() {
		want := ` x-request-id=id-1 request-id=id-1 x-client-request-id=id-1.* \{"type":"error","error":\{"type":"[a-z_]+","message":".*"\},"request_id":"id-1"\}$`
		Expect(newBench(restricted).talk(post("/v1/messages"), requestBody(`{"model":"gpt-5"}`, true))[0]).To(MatchRegexp("^answer 404 .*" + want))
		Expect(newBench(restricted).talk(post("/v1/messages/batches"))[0]).To(MatchRegexp("^answer 404 .*" + want))
		Expect(newBench(restricted).talk(get("/v1/models/x", "anthropic-version", "2023-06-01"))[0]).To(MatchRegexp("^answer 404 .*" + want))
		Expect(newBench(restricted).talk(post(chatPath, "anthropic-version", "2023-06-01"), requestBody(`{}`, true))[0]).To(MatchRegexp(refusal("400", "missing_required_parameter")))
	})

	It("is too large once its body grows beyond the limit", func() {
		long := `{"model":"` + strings.Repeat("x", 99_990)
		words := newBench(nil).talk(post(chatPath), requestBody(long, false), requestBody(strings.Repeat("y", 100_000), false), requestBody("y", false))
		Expect(words).To(HaveLen(1))
		Expect(words[0]).To(MatchRegexp(refusal("413", "request_too_large")))
	})

	It("may be exactly as large as the limit", func() {
		head, tail := `{"model":"gpt","x":"`, `"}`
		body := head + strings.Repeat("x", maxBytes-len(head)-len(tail)) + tail
		Expect(newBench(nil).talk(post(chatPath, "content-length", "200000"), requestBody(body, true))[0]).To(Equal(passed("gpt")))
	})

	It("says how long a body is that is held, and no longer once the gateway has answered", func() {
		s := &stream{}
		Expect(newBench(nil).serve(s, post(chatPath, "content-length", "200000"), requestBody("{", false),
			bareResponseHeaders(504, true))).To(Succeed())
		Expect(s.expected).To(Equal([]int64{200_000, 0}))
	})

	It("takes a part of the memory as long as it lasts, and none is let in that has no room", func() {
		const requests = 2000
		b := newBench(forwarding, func(o *server.Options) { o.Budget = memory.NewBudget(requests * perRequest) })
		var handlers []transport.Handler
		begin := func(s *stream, m *extprocv3.ProcessingRequest) transport.Handler {
			handler := b.Open(s)
			text, err := proto.Marshal(m)
			Expect(err).NotTo(HaveOccurred())
			Expect(deliver(handler, text)).To(Succeed())
			return handler
		}
		before := heap()
		for i := range requests {
			s := &stream{}
			handlers = append(handlers, begin(s, []*extprocv3.ProcessingRequest{post(chatPath), post("/v1/files"), get("/v1/models")}[i%3]))
			s.replies = nil
		}
		Expect(b.budget.Held()).To(BeEquivalentTo(requests * perRequest))
		taken := heap() - before
		GinkgoWriter.Println("bytes a request:", taken/requests)
		Expect(taken).To(BeNumerically("<", requests*perRequest))
		late := &stream{}
		begin(late, post(chatPath)).Close()
		Expect(describe(late.replies[0])).To(MatchRegexp(`^answer 503 .*"code":"overloaded"`))
		canary := &stream{}
		begin(canary, get(canaryPath)).Close()
		Expect(describe(canary.replies[0])).To(HavePrefix("answer 200 "))
		for _, handler := range handlers {
			handler.Close()
		}
		Expect(b.budget.Held()).To(BeZero())
	})

	It("is asked to come back when there was no memory for a piece of it", func() {
		begin := func(messages ...*extprocv3.ProcessingRequest) (*bench, *stream, transport.Handler) {
			b, s := newBench(nil), &stream{}
			handler := b.Open(s)
			for _, m := range messages {
				text, err := proto.Marshal(m)
				Expect(err).NotTo(HaveOccurred())
				Expect(deliver(handler, text)).To(Succeed())
			}
			return b, s, handler
		}
		b, s, handler := begin(post(chatPath))
		Expect(handler.Full()).To(Succeed())
		Expect(handler.Full()).To(Succeed(), "what follows is not wanted")
		handler.Close()
		Expect(s.replies).To(HaveLen(1))
		Expect(describe(s.replies[0])).To(MatchRegexp(`^answer 503 .*"code":"overloaded"`))
		Expect(b.counted("tars_refusals_total")).To(ConsistOf(ContainSubstring(`reason="overloaded"`)))

		b, s, handler = begin(chat(plainChat, responseHeaders(200, false, "content-type", jsonType))...)
		Expect(handler.Full()).To(MatchError(ContainSubstring("no memory")))
		handler.Close()
		Expect(s.replies).To(HaveLen(3))
		Expect(b.counted("tars_requests_aborted_total")).To(HaveLen(1))
	})

	It("is asked to come back when memory is used up", func() {
		b := newBench(nil, func(o *server.Options) { o.Budget = memory.NewBudget(50_000) })
		words := b.talk(post(chatPath), requestBody(`{"x":"`+strings.Repeat("x", 60_000), false))
		Expect(words).To(HaveLen(1))
		Expect(words[0]).To(MatchRegexp(`^answer 503 .*x-tarsbackend-error-source=extproc .*retry-after=1 .*"code":"overloaded"`))
	})
})

// imageTokens is the series of a request on an unlisted path.
func imageTokens(kind string, sum int) string {
	return fmt.Sprintf(`gen_ai_client_token_usage_sum{gen_ai_operation_name="_other",gen_ai_provider_name="openai",gen_ai_request_model="_other",`+
		`gen_ai_response_model="image-1",gen_ai_token_type=%q,server_address="tars.example.com",server_port="443",tarsbackend="ns/name"} %d`, kind, sum)
}

var _ = Describe("A request for embeddings", func() {
	It("is told whole by its input, or its total", func() {
		for _, told := range []string{`"prompt_tokens":8`, `"total_tokens":8`} {
			b := newBench(nil)
			replies := b.play(post("/v1/embeddings"), requestBody(`{"model":"e","input":"a"}`, true),
				responseHeaders(200, false, "content-type", jsonType), responseBody(`{"usage":{`+told+`}}`, true))
			Expect(lastMetadata(replies)).To(And(HaveKeyWithValue("input_tokens", 8.0), HaveKeyWithValue("output_tokens", 0.0), HaveKeyWithValue("estimated", false)))
			Expect(b.counted("tars_usage_missing")).To(BeEmpty())
		}
	})
})

var _ = Describe("A request on another path", func() {
	It("passes at once where unlisted paths are forwarded", func() {
		Expect(newBench(forwarding).talk(
			post("/v1/images/generations", "x-tarsbackend-model", "forged"), requestBody("a", false), requestBody("b", true),
		)).To(Equal([]string{"request headers accept-encoding=identity x-tarsbackend-pass=" + token + " -x-tarsbackend-model route again", "request a", "request b$"}))
	})

	It("may have its answer compressed where it is only read", func() {
		Expect(newBench(forwarding).talk(get("/v1/files/1", "accept-encoding", "gzip"))).
			To(Equal([]string{"request headers x-tarsbackend-pass=" + token + " route again"}))
	})

	DescribeTable("is charged what it tells, unless it only reads what was charged before",
		func(method string, total float64, counted ...string) {
			b := newBench(forwarding)
			replies := b.play(requestHeaders(true, ":method", method, ":path", "/v1/images/1", "x-request-id", "id-1"),
				responseHeaders(200, false, "content-type", jsonType),
				responseBody(`{"model":"image-1","usage":{"input_tokens":3,"output_tokens":4}}`, true))
			Expect(lastMetadata(replies)).To(HaveKeyWithValue("total_tokens", total))
			Expect(b.counted("gen_ai_client_token_usage_sum")).To(ConsistOf(counted))
			Expect(b.counted("gen_ai_server")).To(BeEmpty())
			Expect(b.counted("tars_usage")).To(BeEmpty())
		},
		Entry("a PUT", "PUT", 7.0, imageTokens("input", 3), imageTokens("output", 4)),
		Entry("a POST", "POST", 7.0, imageTokens("input", 3), imageTokens("output", 4)),
		Entry("what some take for a POST", "post", 7.0, imageTokens("input", 3), imageTokens("output", 4)),
		Entry("a HEAD", "HEAD", 0.0), Entry("OPTIONS", "OPTIONS", 0.0),
		Entry("a GET", "GET", 0.0), Entry("a DELETE", "DELETE", 0.0),
	)

	It("is charged nothing where it tells nothing", func() {
		b := newBench(forwarding)
		replies := b.play(post("/v1/images/1"), requestBody("{}", true), responseHeaders(200, false, "content-type", jsonType),
			responseBody(`{"choices":[{"message":{"content":"hi"}}]}`, true))
		Expect(lastMetadata(replies)).To(HaveKeyWithValue("total_tokens", 0.0))
		Expect(b.counted("tars_usage")).To(BeEmpty())
	})

	It("is charged an estimate of what follows on what it told, when it breaks off", func() {
		b := newBench(forwarding)
		replies := b.play(post("/v1/images/1"), requestBody("{}", true), responseHeaders(200, false, "content-type", "text/event-stream"),
			responseBody(`data: {"choices":[{"delta":{"content":"hi"}}],"usage":{"prompt_tokens":100,"completion_tokens":50}}`+"\n\n", false),
			responseBody(`data: {"choices":[{"delta":{"content":"12345678"}}],`, false))
		Expect(lastMetadata(replies)).To(And(HaveKeyWithValue("total_tokens", 152.0), HaveKeyWithValue("input_tokens", 100.0)))
		Expect(b.counted("gen_ai_")).To(BeEmpty())
		Expect(b.counted("tars_usage_estimated_tokens_total")).To(ConsistOf(
			`tars_usage_estimated_tokens_total{gen_ai_request_model="_other",gen_ai_token_type="input",tarsbackend="ns/name"} 100`,
			`tars_usage_estimated_tokens_total{gen_ai_request_model="_other",gen_ai_token_type="output",tarsbackend="ns/name"} 52`))
		Expect(b.counted("tars_usage_missing_total")).To(ConsistOf(HaveSuffix("} 1")))
	})

	It("is cut off at the limit", func() {
		words := newBench(forwarding).talk(post("/v1/files"), requestBody(strings.Repeat("x", maxBytes), false), requestBody("x", false), requestBody("x", true))
		Expect(words).To(HaveLen(3))
		Expect(words[2]).To(MatchRegexp(refusal("413", "request_too_large")))
	})

	It("is no way round the policy", func() {
		change := func(r *config.Route) { restricted(r); forwarding(r) }
		for _, path := range []string{chatPath + "/", "/v1//chat/completions", "/v1/chat%2fcompletions", "/v1/chat/completions;x", "/v1/CHAT/completions", "/v1/x/%2e%2e/chat/completions"} {
			Expect(newBench(change).talk(post(path))[0]).To(MatchRegexp(refusal("404", "unknown_url")), path)
		}
	})

	It("gets no upgrade", func() {
		for _, path := range []string{"/v1/realtime", "/v1/models", "/v1/models/gpt-5"} {
			words := newBench(forwarding).talk(requestHeaders(false, ":method", "GET", ":path", path, "x-request-id", "id-1", "upgrade", "websocket"))
			Expect(words).To(HaveLen(1), path)
			Expect(words[0]).To(MatchRegexp(refusal("400", "upgrade_not_supported")), path)
		}
	})
})

// perRequest is what each request takes of the budget.
const perRequest = 4 << 10

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

var _ = Describe("The headers of a request", func() {
	It("are not kept for as long as it takes", func() {
		const requests, size = 64, 50 << 10
		b := newBench(nil)
		var handlers []transport.Handler
		before := heap()
		for range requests {
			handler := b.Open(&stream{})
			for _, m := range []*extprocv3.ProcessingRequest{post(chatPath, "x-request-id", "id-3", "x-tarsbackend-a", "b", "x-long", strings.Repeat("x", size)), requestBody(`{"model":`, false)} {
				text, err := proto.Marshal(m)
				Expect(err).NotTo(HaveOccurred())
				Expect(deliver(handler, text)).To(Succeed())
			}
			handlers = append(handlers, handler)
		}
		Expect(heap() - before).To(BeNumerically("<", requests*size/2))
		for _, handler := range handlers {
			handler.Close()
		}
	})

	It("count against the memory as far as they are kept", func() {
		const size, perSession = 50 << 10, 4<<10 + 50<<10
		b := newBench(nil)
		keep := func(header ...string) transport.Handler {
			handler := b.Open(&stream{})
			text, err := proto.Marshal(requestHeaders(false, header...))
			Expect(err).NotTo(HaveOccurred())
			Expect(deliver(handler, text)).To(Succeed())
			return handler
		}
		long := strings.Repeat("x", size)
		for n, header := range [][]string{
			{":path", chatPath + "?" + long}, {":path", chatPath, "x-request-id", long}, {":path", chatPath, "x-tarsbackend-" + long, "a"},
			{":path", "/v1/models/" + long[:size/2]}, // and the name in it
			{":path", chatPath, "tracestate", long},
		} {
			handler := keep(append([]string{":method", "POST", "content-type", jsonType}, header...)...)
			Expect(b.budget.Held()).To(BeNumerically("~", perSession, 1<<10), "%d", n)
			handler.Close()
			Expect(b.budget.Held()).To(BeZero())
		}
		handler := keep(":method", "POST", ":path", chatPath+"?"+strings.Repeat("x", 200), "content-type", jsonType, "x-request-id", "id-1")
		Expect(b.budget.Held()).To(BeEquivalentTo(perRequest))
		handler.Close()
	})

	It("that name a model are kept only where that may be one", func() {
		const requests = 64
		for _, body := range []string{
			`{"models":["` + strings.Repeat(strings.Repeat("\xff", 4000)+`","`, 60),
			`{"model":"` + strings.Repeat("\xff", 4000) + `","messages":[`,
		} {
			b := newBench(nil)
			var handlers []transport.Handler
			before := heap()
			for range requests {
				handler := b.Open(&stream{})
				for _, m := range []*extprocv3.ProcessingRequest{post(chatPath), requestBody(body, false)} {
					text, err := proto.Marshal(m)
					Expect(err).NotTo(HaveOccurred())
					Expect(deliver(handler, text)).To(Succeed())
				}
				handlers = append(handlers, handler)
			}
			Expect(heap()-before).To(BeNumerically("<", b.budget.Held()*3/2), "%.20s", body)
			for _, handler := range handlers {
				handler.Close()
			}
		}
	})

	It("do not ask for a part of a list that is narrowed", func() {
		Expect(newBench(restricted).talk(get("/v1/models", "range", "bytes=0-9"))[0]).To(HaveSuffix(" -range route again"))
		Expect(newBench(forwarding).talk(get("/v1/files/1/content", "range", "bytes=0-9"))[0]).NotTo(ContainSubstring("range"))
	})

	It("do not ask whether a list is still the same that is narrowed, and its answer does not say so", func() {
		asked := []string{"if-none-match", `"1"`, "if-modified-since", "Mon, 30 Nov 2026 00:00:00 GMT"}
		Expect(newBench(restricted).talk(get("/v1/models", asked...))[0]).To(HaveSuffix(" -if-none-match -if-modified-since route again"))
		Expect(newBench(nil).talk(get("/v1/models", asked...))[0]).NotTo(ContainSubstring("-if"))
		words := newBench(restricted).talk(get("/v1/models"), responseHeaders(200, false, "content-type", jsonType, "etag", `"1"`, "last-modified", "x"),
			responseBody(`{"object":"list","data":[]}`, true))
		Expect(words[1]).To(ContainSubstring(" -etag -last-modified"))
	})
})
