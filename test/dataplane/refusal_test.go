// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// openAIError is the shape that OpenAI's SDKs read.
type openAIError struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    string  `json:"code"`
	} `json:"error"`
}

// refused checks an answer of ours; want is "status source code".
func refused(r reply, id, want string) {
	GinkgoHelper()
	Expect(r.header.Get("content-type")).To(Equal("application/json"), r.body)
	Expect(r.header.Get("x-request-id")).To(Equal(id))
	Expect(r.header.Values("x-tarsbackend-error-source")).To(HaveLen(1))
	var body openAIError
	Expect(json.Unmarshal([]byte(r.body), &body)).To(Succeed(), r.body)
	Expect(fmt.Sprint(r.status, " ", r.header.Get("x-tarsbackend-error-source"), " ", body.Error.Code)).To(Equal(want), r.body)
	Expect(body.Error.Message).NotTo(BeEmpty())
}

var _ = Describe("A request that is refused", func() {
	DescribeTable("tells the client why, in OpenAI's shape, and does not reach TARS",
		func(method, path, contentType, body string, status int, code string, headers ...string) {
			id := newID()
			req := request(id, method+" "+path, strings.NewReader(body), headers...)
			req.Header.Set("content-type", contentType)
			refused(send(req), id, fmt.Sprintf("%d client %s", status, code))
			Expect(world.tls.requests(id)).To(BeEmpty())
			Expect(world.envoy.line(id).Tars).To(And(HaveKeyWithValue("total_tokens", 0.0), HaveKeyWithValue("error_source", "client")))
		},
		Entry("broken JSON", "POST", "/narrow"+chatPath, "application/json", `{"model":`, 400, "invalid_json"),
		Entry("no object", "POST", "/narrow"+chatPath, "application/json", `[]`, 400, "invalid_json"),
		Entry("no model", "POST", "/narrow"+chatPath, "application/json", `{}`, 400, "missing_required_parameter"),
		Entry("two models", "POST", "/narrow"+chatPath, "application/json", `{"model":"claude-1","mod\u0065l":"gpt-5"}`, 400, "duplicate_parameter"),
		Entry("a model that another is to stand in for", "POST", "/narrow"+chatPath, "application/json", `{"model":"claude-1","fallbacks":[{"model":"gpt-5"}]}`, 404, "model_not_found"),
		Entry("a model of a tool", "POST", "/narrow/v1/responses", "application/json", `{"model":"claude-1","tools":[{"type":"image_generation","model":"gpt-5"}]}`, 404, "model_not_found"),
		Entry("a stream that is no boolean", "POST", "/narrow"+chatPath, "application/json", `{"model":"claude-1","stream":1}`, 400, "invalid_type"),
		Entry("a model that is not allowed", "POST", "/narrow"+chatPath, "application/json", `{"model":"gpt-5"}`, 404, "model_not_found"),
		Entry("a method", "PUT", "/narrow"+chatPath, "application/json", `{"model":"claude-1"}`, 405, "method_not_allowed"),
		Entry("a content type", "POST", "/narrow"+chatPath, "text/plain", `{"model":"claude-1"}`, 415, "unsupported_media_type"),
		Entry("a compressed body", "POST", "/narrow"+chatPath, "application/json", `x`, 415, "unsupported_content_encoding", "content-encoding", "gzip"),
		Entry("too long by its own word", "POST", "/narrow"+chatPath, "application/json", `{"model":"`+strings.Repeat("x", 1024), 413, "request_too_large"),
		Entry("an unlisted path", "POST", "/narrow/v1/images/generations", "application/json", `{"model":"claude-1"}`, 404, "unknown_url"),
		Entry("a trailing slash", "POST", "/narrow"+chatPath+"/", "application/json", `{"model":"claude-1"}`, 404, "unknown_url"),
		Entry("another case", "POST", "/narrow/v1/Chat/completions", "application/json", `{"model":"claude-1"}`, 404, "unknown_url"),
		Entry("parameters", "POST", "/narrow"+chatPath+";a=b", "application/json", `{"model":"claude-1"}`, 404, "unknown_url"),
		Entry("encoded twice", "POST", "/narrow/v1/chat%252fcompletions", "application/json", `{"model":"claude-1"}`, 404, "unknown_url"),
		Entry("a trailing slash where unlisted paths are forwarded", "POST", "/forward"+chatPath+"/", "application/json", `{"model":"gpt-5"}`, 404, "unknown_url"),
		Entry("a letter that Envoy decodes where unlisted paths are forwarded", "POST", "/forward/v1/chat/completion%73", "application/json", `{"model":"gpt-5"}`, 404, "model_not_found"),
		Entry("parameters where unlisted paths are forwarded", "POST", "/forward/v1/chat/completions;x", "application/json", `{"model":"gpt-5"}`, 404, "unknown_url"),
		Entry("another method where unlisted paths are forwarded", "PATCH", "/forward"+chatPath, "application/json", `{"model":"gpt-5"}`, 405, "method_not_allowed"),
		Entry("deletion of a model", "DELETE", "/forward/v1/models/claude-1", "application/json", ``, 405, "method_not_allowed"),
	)

	It("has no way round by Envoy's own normalisation", func() {
		for _, path := range []string{"/narrow/v1//chat/completions", "/narrow/v1/./chat/completions", "/narrow/v1/x/../chat/completions"} {
			id := newID()
			refused(post(path, id, `{"model":"gpt-5"}`), id, "404 client model_not_found")
		}
		id := newID()
		raw := dial()
		raw.write("POST /narrow/v1/chat%%2fcompletions HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-length: 0\r\n\r\n", id)
		Expect(raw.response().status).To(Equal(http.StatusTemporaryRedirect))
		raw.close()
		Expect(world.tls.requests(id)).To(BeEmpty())
	})

	It("is told in Anthropic's shape on messages", func() {
		id := newID()
		r := post("/narrow/v1/messages", id, `{"model":"gpt-5"}`)
		Expect(r.status).To(Equal(404))
		Expect(r.header.Get("request-id")).To(Equal(id))
		Expect(r.body).To(MatchJSON(fmt.Sprintf(`{"type":"error","error":{"type":"not_found_error",
			"message":"The model \"gpt-5\" is not allowed on this gateway. Allowed: fast, claude-*, gpt-4o-mini."},"request_id":%q}`, id)))
		Expect(world.envoy.line(id).Tars).To(And(HaveKeyWithValue("requested_model", "gpt-5"), Not(HaveKey("model"))))
	})

	It("is too large without saying so", func() {
		id := newID()
		raw := dial()
		raw.write("POST /narrow%s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n", chatPath, id)
		raw.write("401\r\n%s\r\n", `{"model":"claude-1","x":"`+strings.Repeat("x", 0x401-25))
		refused(raw.response(), id, "413 client request_too_large")
		raw.close()
		Expect(world.tls.requests(id)).To(BeEmpty())
	})

	It("has no body at all", func() {
		id := newID()
		raw := dial()
		raw.write("POST %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n", chatPath, id)
		refused(raw.response(), id, "400 client missing_body")
		raw.close()
	})

	It("asks for an upgrade", func() {
		for _, path := range []string{chatPath, "/forward/v1/realtime"} {
			id := newID()
			raw := dial()
			raw.write("POST %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", path, id)
			refused(raw.response(), id, "400 client upgrade_not_supported")
			raw.close()
			Expect(world.tls.requests(id)).To(BeEmpty())
		}
	})

	It("forges the header that lets a request pass", func() {
		for _, path := range []string{"/unprocessed", "/narrow"} {
			for _, forged := range []string{"x", "token-of-open", "token-of-narrow"} {
				id := newID()
				raw := dial()
				raw.write("POST %s/v1/files HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-length: 0\r\nx-tarsbackend-pass: %s\r\nx-tarsbackend-pass: x\r\n\r\n", path, id, forged)
				Expect(raw.response().status).To(BeNumerically(">=", 404))
				raw.close()
				Expect(world.tls.requests(id)).To(BeEmpty())
			}
		}
	})

	It("cannot spoil the header that lets it pass", func() {
		id := newID()
		world.tls.answer(id, respond(200, "application/json", "{}"))
		raw := dial()
		body := `{"model":"gpt"}`
		raw.write("POST %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n", chatPath, id, len(body))
		raw.write("x-tarsbackend-pass: a\r\nX-TarsBackend-Pass: b\r\nx-tarsbackend-model: c\r\nx-tarsbackend-model: d\r\n\r\n%s", body)
		Expect(raw.response().status).To(Equal(200))
		raw.close()
		Expect(world.tls.requests(id)).To(HaveLen(1))
		Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("model", "gpt"))
	})

	It("meets a route without the external processor", func() {
		id := newID()
		refused(post("/unprocessed"+chatPath, id, `{"model":"gpt"}`), id, "503 extproc request_not_processed")
		Expect(world.tls.requests(id)).To(BeEmpty())
	})
})

var _ = Describe("An answer of Envoy itself", func() {
	It("of a filter before us becomes JSON", func() {
		id := newID()
		refused(post("/secured"+chatPath, id, `{"model":"gpt"}`), id, "401 gateway unauthorized")
		refused(post("/secured"+chatPath, id, `{"model":"gpt"}`, "authorization", "Bearer wrong"), id, "401 gateway unauthorized")
		Expect(world.tls.requests(id)).To(BeEmpty())
		Expect(post("/secured"+chatPath, id, `{"model":"gpt"}`, "authorization", "Bearer client-key").status).To(Equal(200))
		Expect(world.tls.requests(id)[0].Header.Values("authorization")).To(Equal([]string{credential}))
	})

	It("of the router behind us becomes JSON", func() {
		id := newID()
		r := post("/dead"+chatPath, id, `{"model":"gpt"}`)
		refused(r, id, "503 gateway upstream_connect_error")
		Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("total_tokens", 0.0))
	})

	It("has no body on HEAD", func() {
		r := send(request(newID(), "HEAD "+"/dead/v1/models", nil))
		Expect(r.status).To(Equal(503))
		Expect(r.header.Get("x-tarsbackend-error-source")).To(Equal("gateway"))
		Expect(r.body).To(BeEmpty())
	})
})

var _ = DescribeTable("An error of TARS arrives untouched and marked",
	func(status int, contentType, body, class string) {
		id := newID()
		world.tls.answer(id, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("retry-after", "7")
			respond(status, contentType, body)(w, r)
		})
		r := post(chatPath, id, `{"model":"gpt"}`)
		Expect(r.status).To(Equal(status))
		Expect(r.body).To(Equal(body))
		Expect(r.header.Get("retry-after")).To(Equal("7"))
		Expect(r.header.Get("content-type")).To(Equal(contentType))
		if status >= 400 {
			Expect(r.header.Values("x-tarsbackend-error-source")).To(Equal([]string{"tars"}))
		} else {
			Expect(r.header).NotTo(HaveKey("X-Tarsbackend-Error-Source"))
		}
		Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("error_class", class))
	},
	Entry("401", 401, "application/json", `{"error":{"code":401,"message":"Invalid API key"}}`, "authentication"),
	Entry("402", 402, "application/json", `{"error":{"code":402,"message":"Insufficient credits"}}`, "credits"),
	Entry("404", 404, "application/json", `{"error":{"code":"model_not_found"}}`, "not_found"),
	Entry("429", 429, "application/json", `{"error":{"code":"rate_limit"}}`, "rate_limit"),
	Entry("500 in text", 500, "text/plain", `boom`, "server"),
	Entry("503", 503, "application/json", `{"error":{"code":"model_not_ready"}}`, "model_not_ready"),
	Entry("503 without a body", 503, "text/plain", ``, "server"),
	Entry("inside a 200", 200, "application/json", `{"error":{"code":402,"message":"Insufficient credits"}}`, "credits"),
)
