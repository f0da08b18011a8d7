// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

var digestOfHi = reply.Digest([]byte("hi"))

// anthropicUsage is a usage as /v1/messages tells it.
func anthropicUsage(usage any) tokens.Usage {
	GinkgoHelper()
	u := tokens.Usage{
		CachedInput: count(usage, "cache_read_input_tokens"), CacheCreation: count(usage, "cache_creation_input_tokens"),
		Output: count(usage, "output_tokens"),
	}
	u.Input = count(usage, "input_tokens") + u.CachedInput + u.CacheCreation
	return u
}

// responsesUsage is a usage as /v1/responses tells it.
func responsesUsage(usage any) tokens.Usage {
	GinkgoHelper()
	u := tokens.Usage{
		Input: count(usage, "input_tokens"), CachedInput: count(at(usage, "input_tokens_details"), "cached_tokens"),
		Output: count(usage, "output_tokens"), Reasoning: count(at(usage, "output_tokens_details"), "reasoning_tokens"),
	}
	Expect(count(usage, "total_tokens")).To(Equal(u.Total()))
	return u
}

// names are those of a stream's events, repetitions once.
func names(all []event) []string {
	var found []string
	for _, e := range all {
		if len(found) == 0 || found[len(found)-1] != e.name {
			found = append(found, e.name)
		}
	}
	return found
}

var _ = Describe("The API", func() {
	var f fake
	BeforeEach(func() { f = start(server.Options{}) })

	Describe("/v1/completions", func() {
		It("answers a prompt", func() {
			document := parsed(f.ask(reply.Completions, `{"model":"gpt-4o-mini","prompt":["a","hi"]}`).Body)
			Expect(at(document, "object")).To(Equal("text_completion"))
			Expect(at(document, "choices", 0, "text")).To(ContainSubstring(digestOfHi))
			Expect(f.last().Usage).To(HaveValue(Equal(openAIUsage(at(document, "usage")))))
		})
		It("streams", func() {
			chunks := datas(f.ask(reply.Completions,
				`{"model":"gpt-4o-mini","prompt":"hi","stream":true,"stream_options":{"include_usage":true}}`).Body)
			var text strings.Builder
			for _, chunk := range chunks[:len(chunks)-1] {
				text.WriteString(at(chunk, "choices", 0, "text").(string))
				Expect(at(chunk, "object")).To(Equal("text_completion"))
			}
			Expect(text.String()).To(ContainSubstring(digestOfHi))
			Expect(f.last().Usage).To(HaveValue(Equal(openAIUsage(at(chunks[len(chunks)-1], "usage")))))
		})
		It("needs a prompt", func() {
			Expect(f.ask(reply.Completions, `{"model":"gpt-4o-mini"}`).Status).To(Equal(http.StatusBadRequest))
		})
	})

	Describe("/v1/responses", func() {
		DescribeTable("answers", func(input string) {
			document := parsed(f.ask(reply.Responses, `{"model":"gpt-5-mini","input":`+input+`}`).Body)
			Expect(at(document, "object")).To(Equal("response"))
			Expect(at(document, "status")).To(Equal("completed"))
			Expect(at(document, "output", 0, "content", 0, "text")).To(ContainSubstring(digestOfHi))
			Expect(f.last().Usage).To(HaveValue(Equal(responsesUsage(at(document, "usage")))))
			Expect(f.last().UsageSent).To(BeTrue())
		},
			Entry("a text", `"hi"`),
			Entry("messages", `[{"role":"user","content":[{"type":"input_text","text":"hi"}]},{"type":"reasoning"}]`),
		)
		It("streams, with its usage unasked", func() {
			all := events(f.ask(reply.Responses, `{"model":"gpt-5-mini","input":"hi","stream":true}`).Body)
			Expect(names(all)).To(Equal([]string{
				"response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
				"response.output_text.delta", "response.output_text.done", "response.content_part.done",
				"response.output_item.done", "response.completed",
			}))
			var text strings.Builder
			for i, e := range all {
				document := parsed(e.data)
				Expect(at(document, "type")).To(Equal(e.name))
				Expect(at(document, "sequence_number")).To(BeNumerically("==", i))
				if e.name == "response.output_text.delta" {
					text.WriteString(at(document, "delta").(string))
				}
			}
			final := parsed(all[len(all)-1].data)
			Expect(at(final, "response", "output", 0, "content", 0, "text")).To(And(Equal(text.String()), ContainSubstring(digestOfHi)))
			Expect(f.last().Usage).To(HaveValue(Equal(responsesUsage(at(final, "response", "usage")))))
			Expect(f.last().UsageSent).To(BeTrue())
		})
		It("streams without counts when wished", func() {
			all := events(f.ask(reply.Responses, `{"model":"gpt-5-mini","input":"hi","stream":true}`, "x-fake-usage", "absent").Body)
			Expect(at(parsed(all[len(all)-1].data), "response")).NotTo(HaveKey("usage"))
			Expect(f.last().UsageSent).To(BeFalse())
		})
		It("needs an input", func() {
			Expect(f.ask(reply.Responses, `{"model":"gpt-5-mini"}`).Status).To(Equal(http.StatusBadRequest))
		})
	})

	Describe("/v1/messages", func() {
		const body = `{"model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
		const stream = `{"model":"claude-haiku-4-5","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`

		It("answers with cached tokens beside the input", func() {
			created := 0
			for range 20 {
				document := parsed(f.ask(reply.Messages, body).Body)
				Expect(at(document, "type")).To(Equal("message"))
				Expect(at(document, "content", 0, "text")).To(ContainSubstring(digestOfHi))
				Expect(f.last().Usage).To(HaveValue(Equal(anthropicUsage(at(document, "usage")))))
				Expect(f.last().UsageSent).To(BeTrue())
				created += int(f.last().Usage.CacheCreation)
			}
			Expect(created).To(BeNumerically(">", 0))
		})
		DescribeTable("streams with its counts on", func(place string) {
			all := events(f.ask(reply.Messages, stream, "x-fake-anthropic-usage", place).Body)
			Expect(names(all)).To(Equal([]string{
				"message_start", "content_block_start", "ping", "content_block_delta", "content_block_stop",
				"message_delta", "message_stop",
			}))
			begin, end := parsed(all[0].data), parsed(all[len(all)-2].data)
			Expect(at(begin, "message", "model")).To(Equal("claude-haiku-4-5"))
			Expect(at(end, "delta", "stop_reason")).To(Equal("end_turn"))
			first, final := at(begin, "message", "usage").(object), at(end, "usage").(object)
			switch place {
			case "start":
				Expect(final).To(HaveLen(1))
				Expect(first).To(HaveLen(4))
			case "delta":
				Expect(first).To(Equal(object{"input_tokens": 0.0, "output_tokens": 0.0}))
			case "both":
				Expect(first["input_tokens"]).To(BeNumerically(">", final["input_tokens"]))
			}
			Expect(first["output_tokens"]).To(BeNumerically("<=", 1))
			maps.Copy(first, final)
			Expect(f.last().Usage).To(HaveValue(Equal(anthropicUsage(first))))
			Expect(f.last().UsageSent).To(BeTrue())

			var text strings.Builder
			for _, e := range all {
				if e.name == "content_block_delta" {
					text.WriteString(at(parsed(e.data), "delta", "text").(string))
				}
			}
			Expect(text.String()).To(ContainSubstring(digestOfHi))
		}, Entry(nil, "start"), Entry(nil, "delta"), Entry(nil, "both"))
		It("streams with its counts on any of them, unasked", func() {
			seen := map[int]bool{}
			for range 40 {
				all := events(f.ask(reply.Messages, stream).Body)
				seen[len(at(parsed(all[len(all)-2].data), "usage").(object))] = true
			}
			Expect(seen).To(And(HaveKey(1), HaveKey(4)))
		})
		DescribeTable("streams without counts", func(value string, matcher OmegaMatcher) {
			all := events(f.ask(reply.Messages, stream, "x-fake-usage", value).Body)
			Expect(at(parsed(all[0].data), "message")).To(matcher)
			Expect(parsed(all[len(all)-2].data)).To(matcher)
			Expect(f.last().UsageSent).To(BeFalse())
		},
			Entry(nil, "absent", Not(HaveKey("usage"))),
			Entry(nil, "null", HaveKeyWithValue("usage", BeNil())),
		)
	})

	Describe("/v1/embeddings", func() {
		It("answers one vector a text", func() {
			document := parsed(f.ask(reply.Embeddings, `{"model":"text-embedding-3-small","input":["a","hi"],"dimensions":3}`).Body)
			Expect(at(document, "data")).To(HaveLen(2))
			Expect(at(document, "data", 1, "index")).To(BeNumerically("==", 1))
			Expect(at(document, "data", 1, "embedding")).To(HaveLen(3))
			usage := f.last().Usage
			Expect(usage).To(HaveValue(Equal(tokens.Usage{Input: count(at(document, "usage"), "prompt_tokens")})))
			Expect(count(at(document, "usage"), "total_tokens")).To(Equal(usage.Input))
			Expect(f.last().PromptSHA256).To(Equal(digestOfHi))
		})
		It("answers in base64", func() {
			document := parsed(f.ask(reply.Embeddings, `{"model":"text-embedding-3-small","input":"hi","encoding_format":"base64"}`).Body)
			raw, err := base64.StdEncoding.DecodeString(at(document, "data", 0, "embedding").(string))
			Expect(err).NotTo(HaveOccurred())
			Expect(raw).To(HaveLen(8 * 4))
			Expect(raw[:4]).To(Equal([]byte{0, 0, 0x80, 0x3f}), "1 as a float32, little end first")
		})
		It("never streams", func() {
			a := f.ask(reply.Embeddings, `{"model":"text-embedding-3-small","input":"hi","stream":true}`)
			Expect(a.Header.Get("content-type")).To(Equal("application/json"))
		})
		It("refuses a vector of no sensible length", func() {
			a := f.ask(reply.Embeddings, `{"model":"text-embedding-3-small","input":"hi","dimensions":1000000}`)
			Expect(a.Status).To(Equal(http.StatusBadRequest))
		})
	})

	Describe("/v1/models", func() {
		It("lists exactly what the key reaches", func() {
			document := parsed(f.get("/v1/models").Body)
			var ids []string
			for _, model := range at(document, "data").([]any) {
				ids = append(ids, at(model, "id").(string))
				Expect(model).To(And(HaveLen(4), HaveKeyWithValue("object", "model"), HaveKey("created"), HaveKey("owned_by")))
			}
			Expect(ids).To(Equal(keys.DefaultModels()))
			Expect(f.last().Usage).To(BeNil())
		})
		DescribeTable("tells of one model", func(path, id, owner string) {
			document := parsed(f.get(path).Body)
			Expect(at(document, "id")).To(Equal(id))
			Expect(at(document, "owned_by")).To(Equal(owner))
		},
			Entry(nil, "/v1/models/gpt-4o-mini", "gpt-4o-mini", "openai"),
			Entry(nil, "/v1/models/claude-haiku-4-5", "claude-haiku-4-5", "anthropic"),
			Entry(nil, "/v1/models/xai/grok-4.5", "xai/grok-4.5", "xai"),
			Entry(nil, "/v1/models/xai%2Fgrok-4.5", "xai/grok-4.5", "xai"),
		)
		It("knows no other model", func() {
			a := f.get("/v1/models/gpt-99")
			Expect(a.Status).To(Equal(http.StatusNotFound))
			Expect(a.Body).To(Equal(`{"error":{"code":404,"message":"model \"gpt-99\" not found"}}`))
		})
	})

	It("answers its root with an empty 200 without a key", func() {
		a := f.get("/", bearer, "")
		Expect(a.Status).To(Equal(http.StatusOK))
		Expect(a.Body).To(BeEmpty())
		Expect(a.Header).NotTo(HaveKey("Content-Type"))
	})

	DescribeTable("answers errors in JSON", func(method, path string, status int) {
		a := f.do(call{method: method, path: path})
		Expect(a.Status).To(Equal(status))
		Expect(a.Header.Get("content-type")).To(Equal("application/json"))
		Expect(at(parsed(a.Body), "error", "code")).To(BeNumerically("==", status))
		Expect(f.last().Status).To(Equal(status))
	},
		Entry(nil, "GET", "/v1/unknown", 404),
		Entry(nil, "POST", "/v1/chat/completions/", 404),
		Entry(nil, "GET", "/v1/chat/completions", 405),
		Entry(nil, "POST", "/v1/models", 405),
		Entry(nil, "POST", "/", 405),
	)

	It("says which method to use", func() {
		Expect(f.get("/v1/responses").Header.Get("allow")).To(Equal("POST"))
		Expect(f.do(call{method: "DELETE", path: "/v1/models/m"}).Header.Get("allow")).To(Equal("GET"))
	})

	It("answers an error of /v1/messages in Anthropic's shape", func() {
		a := f.ask(reply.Messages, `{"model":"claude-99","messages":[{"role":"user","content":"hi"}]}`)
		Expect(a.Status).To(Equal(http.StatusNotFound))
		Expect(parsed(a.Body)).To(Equal(object{
			"type": "error", "error": object{"type": "not_found_error", "message": `model "claude-99" not found`},
		}))
	})
})
