// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

// openAIUsage is a usage as /v1/chat/completions tells it.
func openAIUsage(usage any) tokens.Usage {
	GinkgoHelper()
	u := tokens.Usage{Input: count(usage, "prompt_tokens"), Output: count(usage, "completion_tokens")}
	fields := usage.(object)
	Expect(count(usage, "total_tokens")).To(Equal(u.Input + u.Output))
	if details, told := fields["prompt_tokens_details"]; told {
		u.CachedInput = count(details, "cached_tokens")
	}
	if details, told := fields["completion_tokens_details"]; told {
		u.Reasoning = count(details, "reasoning_tokens")
	}
	return u
}

func count(value any, field string) int64 {
	GinkgoHelper()
	return int64(at(value, field).(float64))
}

// streamed is the text of a stream of chat chunks.
func streamed(chunks []object) string {
	GinkgoHelper()
	var text strings.Builder
	for _, chunk := range chunks {
		for _, choice := range at(chunk, "choices").([]any) {
			if content, told := at(choice, "delta").(object)["content"]; told {
				text.WriteString(content.(string))
			}
		}
	}
	return text.String()
}

var _ = Describe("A chat", func() {
	var f fake
	BeforeEach(func() { f = start(server.Options{}) })

	DescribeTable("is answered by", func(way string) {
		a := f.do(call{way: way, method: "POST", path: "/v1/chat/completions", body: chat, header: []string{"x-request-id", "r-1"}})
		Expect(a.Err).NotTo(HaveOccurred())
		Expect(a.Status).To(Equal(http.StatusOK))
		Expect(strings.HasPrefix(way, a.Proto[:6])).To(BeTrue(), a.Proto)
		Expect(a.Header.Get("content-type")).To(Equal("application/json"))
		Expect(a.Header.Get("server")).To(Equal("tarsfake"))
		Expect(a.Header.Get("x-client-request-id")).To(Equal("r-1"))
		Expect(a.Header.Get("x-fake-body-sha256")).To(Equal(reply.Digest([]byte(chat))))
		Expect(a.Header.Get("x-fake-prompt-sha256")).To(Equal(reply.Digest([]byte(prompt))))
		Expect(a.Header.Get("content-length")).To(Equal(fmt.Sprint(len(a.Body))))

		document := parsed(a.Body)
		Expect(at(document, "id")).To(HavePrefix("chatcmpl-"))
		Expect(at(document, "object")).To(Equal("chat.completion"))
		Expect(at(document, "model")).To(Equal("gpt-4o-mini"))
		Expect(at(document, "choices", 0, "finish_reason")).To(Equal("stop"))
		Expect(at(document, "choices", 0, "message", "role")).To(Equal("assistant"))
		Expect(at(document, "choices", 0, "message", "content")).To(ContainSubstring(reply.Digest([]byte(prompt))))

		entry := f.last()
		Expect(entry.Outcome).To(Equal(ledger.Complete))
		Expect(entry.Usage).To(HaveValue(Equal(openAIUsage(at(document, "usage")))))
		Expect(entry.UsageSent).To(BeTrue())
		Expect(entry.Protocol).To(Equal(a.Proto))
	}, everyWay)

	DescribeTable("proves the text of the user's last message", func(messages, text string) {
		a := f.ask(reply.Chat, `{"model":"gpt-4o-mini","messages":`+messages+`}`)
		Expect(at(parsed(a.Body), "choices", 0, "message", "content")).To(ContainSubstring(reply.Digest([]byte(text))))
		Expect(f.last().PromptSHA256).To(Equal(reply.Digest([]byte(text))))
	},
		Entry("of several", `[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]`, "c"),
		Entry("before a tool's", `[{"role":"user","content":"a"},{"role":"tool","content":"b"}]`, "a"),
		Entry("in parts", `[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{}},{"type":"text","text":"b"}]}]`, "ab"),
		Entry("that isn't there", `[{"role":"system","content":"a"}]`, ""),
	)

	DescribeTable("is refused with 400", func(body, why string) {
		a := f.ask(reply.Chat, body)
		Expect(a.Status).To(Equal(http.StatusBadRequest))
		Expect(at(parsed(a.Body), "error", "code")).To(BeNumerically("==", 400))
		Expect(at(parsed(a.Body), "error", "message")).To(ContainSubstring(why))
		Expect(f.last().Usage).To(BeNil())
	},
		Entry("without JSON", `{"model"`, "JSON"),
		Entry("without a model", `{"messages":[{"role":"user","content":"a"}]}`, "model is required"),
		Entry("without messages", `{"model":"gpt-4o-mini"}`, "messages is required"),
		Entry("with content of no known form", `{"model":"gpt-4o-mini","messages":[{"role":"user","content":1}]}`, "content is neither"),
	)

	It("is refused with 404 for a model that the key does not reach", func() {
		a := f.ask(reply.Chat, strings.Replace(chat, "gpt-4o-mini", "gpt-99", 1))
		Expect(a.Status).To(Equal(http.StatusNotFound))
		Expect(at(parsed(a.Body), "error", "message")).To(Equal(`model "gpt-99" not found`))
		Expect(f.last().ModelAsked).To(Equal("gpt-99"))
		Expect(f.last().ModelAnswered).To(BeEmpty())
	})

	It("costs what nobody can guess, with details of some", func() {
		totals, cached, reasoned := map[int64]bool{}, 0, 0
		const requests = 40
		for range requests {
			f.ask(reply.Chat, chat)
			u := f.last().Usage
			totals[u.Total()] = true
			if u.CachedInput > 0 {
				cached++
			}
			if u.Reasoning > 0 {
				reasoned++
			}
		}
		Expect(len(totals)).To(BeNumerically(">", requests/2))
		Expect(cached).To(And(BeNumerically(">", 0), BeNumerically("<", requests)))
		Expect(reasoned).To(And(BeNumerically(">", 0), BeNumerically("<", requests)))
	})

	Describe("as a stream", func() {
		DescribeTable("arrives by", func(way string) {
			a := f.do(call{way: way, method: "POST", path: "/v1/chat/completions", body: chatStream})
			Expect(a.Err).NotTo(HaveOccurred())
			Expect(a.Header.Get("content-type")).To(Equal("text/event-stream"))
			Expect(a.Header.Get("cache-control")).To(Equal("no-cache"))
			chunks := datas(a.Body)
			Expect(streamed(chunks)).To(ContainSubstring(reply.Digest([]byte(prompt))))
			Expect(f.last().Chunks).To(Equal(len(chunks) + 1))
			Expect(f.last().Outcome).To(Equal(ledger.Complete))
		}, everyWay)

		It("tells no usage unless asked", func() {
			a := f.ask(reply.Chat, chatStream)
			for _, chunk := range datas(a.Body) {
				Expect(chunk).NotTo(HaveKey("usage"))
				Expect(at(chunk, "choices")).To(HaveLen(1))
				Expect(at(chunk, "object")).To(Equal("chat.completion.chunk"))
			}
			entry := f.last()
			Expect(entry.Usage).NotTo(BeNil())
			Expect(entry.UsageSent).To(BeFalse())
			Expect(entry.IncludeUsage).To(BeFalse())
			Expect(entry.Stream).To(BeTrue())
		})

		It("tells its usage on a last chunk without choices when asked", func() {
			chunks := datas(f.ask(reply.Chat, chatUsage).Body)
			final := chunks[len(chunks)-1]
			Expect(at(final, "choices")).To(BeEmpty())
			Expect(f.last().Usage).To(HaveValue(Equal(openAIUsage(at(final, "usage")))))
			Expect(f.last().UsageSent).To(BeTrue())
			Expect(f.last().IncludeUsage).To(BeTrue())
			for _, chunk := range chunks[:len(chunks)-1] {
				Expect(chunk).NotTo(HaveKey("usage"))
			}
			Expect(at(chunks[len(chunks)-2], "choices", 0, "finish_reason")).To(Equal("stop"))
		})

		It("has null before its usage when wished", func() {
			chunks := datas(f.ask(reply.Chat, chatUsage, "x-fake-usage-null", "true").Body)
			for _, chunk := range chunks[:len(chunks)-1] {
				Expect(chunk).To(HaveKeyWithValue("usage", BeNil()))
			}
			Expect(at(chunks[len(chunks)-1], "usage")).NotTo(BeNil())
			for _, chunk := range datas(f.ask(reply.Chat, chatStream, "x-fake-usage-null", "true").Body) {
				Expect(chunk).NotTo(HaveKey("usage"))
			}
		})
	})
})

var _ = Describe("Usage on demand", func() {
	var f fake
	BeforeEach(func() { f = start(server.Options{}) })

	It("is absent", func() {
		Expect(parsed(f.ask(reply.Chat, chat, "x-fake-usage", "absent").Body)).NotTo(HaveKey("usage"))
		Expect(f.last().UsageSent).To(BeFalse())
		Expect(f.last().Usage).NotTo(BeNil())
		for _, chunk := range datas(f.ask(reply.Chat, chatUsage, "x-fake-usage", "absent").Body) {
			Expect(chunk).NotTo(HaveKey("usage"))
			Expect(at(chunk, "choices")).NotTo(BeEmpty())
		}
		Expect(f.last().UsageSent).To(BeFalse())
		for _, chunk := range datas(f.ask(reply.Chat, chatUsage, "x-fake-usage", "absent", "x-fake-usage-null", "true").Body) {
			Expect(at(chunk, "choices")).NotTo(BeEmpty())
		}
	})

	It("has no details that are 0", func() {
		Expect(at(parsed(f.ask(reply.Chat, chat, "x-fake-usage", "3,2").Body), "usage")).To(HaveLen(3))
		Expect(at(parsed(f.ask(reply.Chat, chat, "x-fake-usage", "3,2,1,1").Body), "usage")).To(HaveLen(5))
	})

	It("is null", func() {
		Expect(parsed(f.ask(reply.Chat, chat, "x-fake-usage", "null").Body)).To(HaveKeyWithValue("usage", BeNil()))
		Expect(f.last().UsageSent).To(BeFalse())
		chunks := datas(f.ask(reply.Chat, chatUsage, "x-fake-usage", "null").Body)
		Expect(chunks[len(chunks)-1]).To(HaveKeyWithValue("usage", BeNil()))
		Expect(f.last().UsageSent).To(BeFalse())
	})

	DescribeTable("is", func(value string, want tokens.Usage) {
		chunks := datas(f.ask(reply.Chat, chatUsage, "x-fake-usage", value).Body)
		Expect(at(chunks[len(chunks)-1], "usage")).To(HaveKey("total_tokens"))
		Expect(f.last().Usage).To(HaveValue(Equal(want)))
		Expect(f.ask(reply.Chat, chat, "x-fake-usage", value).Body).To(And(
			ContainSubstring(`"prompt_tokens":%d`, want.Input), ContainSubstring(`"completion_tokens":%d`, want.Output)))
	},
		Entry(nil, "zero", tokens.Usage{}),
		Entry(nil, "huge", tokens.Usage{Input: 9007199254740993, Output: 9007199254740993}),
		Entry(nil, "12,34", tokens.Usage{Input: 12, Output: 34}),
		Entry(nil, "12,34,5,6", tokens.Usage{Input: 12, Output: 34, CachedInput: 5, Reasoning: 6}),
	)
})
