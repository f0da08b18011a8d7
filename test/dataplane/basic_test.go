// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const chatAnswer = `{"id":"x","model":"gpt-4o-mini-1","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`

var _ = Describe("A chat completion", func() {
	It("reaches TARS with the platform's key, and nothing of what is between", func() {
		id := newID()
		sent := ` {"model":"gpt-4o-mini", "messages":[]} `
		got := make(chan string, 1)
		world.tls.answer(id, func(w http.ResponseWriter, r *http.Request) {
			body := readAll(r.Body)
			got <- body
			respond(http.StatusOK, "application/json", chatAnswer)(w, r)
		})
		answer := post(chatPath+"?a=b", id, sent, "authorization", "Bearer client", "x-api-key", "client", "x-tars-api-key", "client", "cookie", "a=b",
			"x-forwarded-for", "1.2.3.4", "x-tarsbackend-model", "forged", "x-tarsbackend-other", "x", "x-tars-supports-reasoning", "true", "agent-session-id", "s")
		Expect(answer.status).To(Equal(http.StatusOK))
		Expect(answer.body).To(Equal(chatAnswer))
		Expect(answer.header).NotTo(HaveKey("X-Tarsbackend-Error-Source"))
		Expect(<-got).To(Equal(sent))

		Expect(world.tls.requests(id)).To(HaveLen(1))
		r := world.tls.requests(id)[0]
		Expect(r.Proto).To(Equal("HTTP/2.0"))
		Expect(r.Host).To(Equal("api.router.tetrate.ai"))
		Expect(r.RequestURI).To(Equal(chatPath + "?a=b"))
		Expect(r.Header.Get("authorization")).To(Equal(credential))
		Expect(r.Header.Get("accept-encoding")).To(Equal("identity"))
		Expect(r.Header.Get("x-tars-supports-reasoning")).To(Equal("true"))
		Expect(r.Header.Get("agent-session-id")).To(Equal("s"))
		for name := range r.Header {
			Expect(strings.ToLower(name)).NotTo(Or(HavePrefix("x-tarsbackend"), Equal("x-api-key"), Equal("x-tars-api-key"), Equal("cookie"), HavePrefix("x-forwarded-for"), HavePrefix("x-envoy")))
		}
	})

	It("is told in the access log, the metrics and the metadata", func() {
		id := newID()
		world.tls.answer(id, respond(http.StatusOK, "application/json", chatAnswer))
		Expect(post(chatPath, id, `{"model":"gpt-4o-mini"}`).status).To(Equal(http.StatusOK))
		line := world.envoy.line(id)
		Expect(line.Code).To(Equal(http.StatusOK))
		Expect(line.Tars).To(And(
			HaveKeyWithValue("total_tokens", 7.0), HaveKeyWithValue("input_tokens", 3.0), HaveKeyWithValue("output_tokens", 4.0),
			HaveKeyWithValue("model", "gpt-4o-mini"), HaveKeyWithValue("response_model", "gpt-4o-mini-1"), HaveKeyWithValue("operation", "chat"),
		))
		Eventually(func() []string { return world.main.metrics("gen_ai_client_token_usage_sum") }).WithTimeout(stepTimeout).WithPolling(poll).
			Should(ContainElement(ContainSubstring(`gen_ai_response_model="gpt-4o-mini-1",gen_ai_token_type="input"`)))
	})

	DescribeTable("passes 20 MB unchanged",
		func(prefix string) {
			id := newID()
			sent := []byte(`{"model":"gpt","x":"` + strings.Repeat("0123456789abcdef", 20<<20/16) + `"}`)
			up := world.tls
			if prefix != "" {
				up = world.plain
			}
			up.answer(id, func(w http.ResponseWriter, r *http.Request) {
				hash := sha256.New()
				n, err := io.Copy(hash, r.Body)
				respond(http.StatusOK, "text/plain", fmt.Sprint(n, " ", hex.EncodeToString(hash.Sum(nil)), " ", err))(w, r)
			})
			want := sha256.Sum256(sent)
			answer := post(prefix+chatPath, id, string(sent))
			Expect(answer.status).To(Equal(http.StatusOK))
			Expect(answer.body).To(Equal(fmt.Sprint(len(sent), " ", hex.EncodeToString(want[:]), " <nil>")))
			Eventually(func() []string { return world.main.metrics("tars_held_bytes ") }).WithTimeout(stepTimeout).WithPolling(poll).
				Should(ConsistOf("tars_held_bytes 0"))
		},
		Entry("to an upstream of HTTP/2", ""),
		Entry("to an upstream of HTTP/1.1", "/plain"),
	)

	It("passes 20 MB of an answer unchanged", func() {
		id := newID()
		want := `{"x":"` + strings.Repeat("0123456789abcdef", 20<<20/16) + `","usage":{"prompt_tokens":1,"completion_tokens":1}}`
		world.tls.answer(id, respond(http.StatusOK, "application/json", want))
		answer := post(chatPath, id, `{"model":"gpt"}`)
		Expect(same(answer.body, want)).To(BeTrue())
		Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("total_tokens", 2.0))
	})

	It("has its alias replaced", func() {
		id := newID()
		got := make(chan string, 1)
		world.tls.answer(id, func(_ http.ResponseWriter, r *http.Request) {
			body := readAll(r.Body)
			got <- body
		})
		Expect(post("/narrow"+chatPath, id, `{"x":1,"model":"fast","y":"é"}`).status).To(Equal(http.StatusOK))
		Expect(<-got).To(Equal(`{"x":1,"model":"xai/grok-4.5","y":"é"}`))
		Expect(world.tls.requests(id)[0].RequestURI).To(Equal(chatPath))
		Expect(world.envoy.line(id).Tars).To(And(HaveKeyWithValue("requested_model", "fast"), HaveKeyWithValue("model", "xai/grok-4.5")))
	})

	It("arrives whole however the client cuts it", func() {
		sent := `{"stream":false,"model":"fast","x":"\u00e9\\"}`
		for i := 1; i < len(sent); i++ {
			id := newID()
			got := make(chan string, 1)
			world.tls.answer(id, func(_ http.ResponseWriter, r *http.Request) {
				body := readAll(r.Body)
				got <- body
			})
			raw := dial()
			raw.write("POST /narrow%s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n", chatPath, id)
			raw.write("%x\r\n%s\r\n", i, sent[:i])
			raw.write("%x\r\n%s\r\n0\r\n\r\n", len(sent)-i, sent[i:])
			Expect(raw.response().status).To(Equal(http.StatusOK))
			Expect(<-got).To(Equal(strings.Replace(sent, "fast", "xai/grok-4.5", 1)))
			raw.close()
		}
	})
})
