// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

const (
	chatTools    = `"tools":[{"type":"function","function":{"name":"other"}},{"type":"function","function":{"name":"weather"}}]`
	flatTools    = `"tools":[{"type":"function","name":"other"},{"type":"function","name":"weather"}]`
	chatAsk      = `{"model":"gpt-4o-mini",` + chatTools + `,"messages":[{"role":"user","content":"hi"}]%s}`
	messagesAsk  = `{"model":"claude-haiku-4-5","max_tokens":9,` + flatTools + `,"messages":[{"role":"user","content":"hi"}]%s}`
	responsesAsk = `{"model":"gpt-5-mini",` + flatTools + `,"input":"hi"%s}`
)

// callText is what a tool is called with.
var callText = `{"prompt_sha256":"` + digestOfHi + `"}`

var _ = Describe("A tool", func() {
	var f fake
	BeforeEach(func() { f = start(server.Options{}) })

	ask := func(kind reply.Kind, body, more string) any {
		GinkgoHelper()
		return parsed(f.ask(kind, fmt.Sprintf(body, more)).Body)
	}

	It("is called by a chat completion", func() {
		document := ask(reply.Chat, chatAsk, "")
		Expect(at(document, "choices", 0, "finish_reason")).To(Equal("tool_calls"))
		Expect(at(document, "choices", 0, "message", "content")).To(BeNil())
		call := at(document, "choices", 0, "message", "tool_calls", 0)
		Expect(at(call, "function", "name")).To(Equal("other"))
		Expect(at(call, "function", "arguments")).To(Equal(callText))
	})

	It("is called by a message", func() {
		document := ask(reply.Messages, messagesAsk, "")
		Expect(at(document, "stop_reason")).To(Equal("tool_use"))
		Expect(at(document, "content", 0, "name")).To(Equal("other"))
		Expect(at(document, "content", 0, "input", "prompt_sha256")).To(Equal(digestOfHi))
	})

	It("is called by a response", func() {
		document := ask(reply.Responses, responsesAsk, "")
		Expect(at(document, "output", 0, "type")).To(Equal("function_call"))
		Expect(at(document, "output", 0, "name")).To(Equal("other"))
		Expect(at(document, "output", 0, "arguments")).To(Equal(callText))
	})

	DescribeTable("is the one that is chosen",
		func(kind reply.Kind, body, choice string) {
			Expect(f.ask(kind, fmt.Sprintf(body, `,"tool_choice":`+choice)).Body).To(And(ContainSubstring(`"weather"`), Not(ContainSubstring(`"other"`))))
		},
		Entry("in a chat", reply.Chat, chatAsk, `{"type":"function","function":{"name":"weather"}}`),
		Entry("in a message", reply.Messages, messagesAsk, `{"type":"tool","name":"weather"}`),
		Entry("in a response", reply.Responses, responsesAsk, `{"type":"function","name":"weather"}`),
	)

	DescribeTable("is not called",
		func(kind reply.Kind, body, more string) {
			Expect(f.ask(kind, fmt.Sprintf(body, more)).Body).To(ContainSubstring("tarsfake"))
		},
		Entry("when none is wanted", reply.Chat, chatAsk, `,"tool_choice":"none"`),
		Entry("when none is wanted in a message", reply.Messages, messagesAsk, `,"tool_choice":{"type":"none"}`),
		Entry("when there is none", reply.Chat, `{"model":"gpt-4o-mini","tools":[],"messages":[{"role":"user","content":"hi"}]%s}`, ""),
		Entry("when a chat brings its result", reply.Chat,
			`{"model":"gpt-4o-mini",`+chatTools+`,"messages":[{"role":"user","content":"hi"},{"role":"tool","tool_call_id":"c","content":"sun"}]%s}`, ""),
		Entry("when a message brings its result", reply.Messages,
			`{"model":"claude-haiku-4-5",`+flatTools+`,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"sun"}]}]%s}`, ""),
		Entry("when a response brings its result", reply.Responses,
			`{"model":"gpt-5-mini",`+flatTools+`,"input":[{"role":"user","content":"hi"},{"type":"function_call_output","call_id":"c","output":"sun"}]%s}`, ""),
	)

	DescribeTable("has its result proved in a message",
		func(content string) {
			body := `{"model":"claude-haiku-4-5","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":` + content + `}]}]}`
			Expect(f.ask(reply.Messages, body).Body).To(ContainSubstring(reply.Digest([]byte("sun"))))
		},
		Entry("as a text", `"sun"`),
		Entry("in parts", `[{"type":"text","text":"s"},{"type":"text","text":"un"}]`),
		Entry("with nothing in it", `null},{"type":"text","text":"sun"`),
	)

	It("has its result refused when it is neither", func() {
		body := `{"model":"claude-haiku-4-5","messages":[{"role":"user","content":[{"type":"tool_result","content":7}]}]}`
		Expect(f.ask(reply.Messages, body).Status).To(Equal(400))
	})

	It("is called by a stream of chat, in pieces", func() {
		chunks := datas(f.ask(reply.Chat, fmt.Sprintf(chatAsk, `,"stream":true`)).Body)
		opening := at(chunks[1], "choices", 0, "delta", "tool_calls", 0)
		Expect(at(opening, "function", "name")).To(Equal("other"))
		var text strings.Builder
		for _, chunk := range chunks[1 : len(chunks)-1] {
			text.WriteString(at(chunk, "choices", 0, "delta", "tool_calls", 0, "function", "arguments").(string))
		}
		Expect(text.String()).To(Equal(callText))
		Expect(at(chunks[len(chunks)-1], "choices", 0, "finish_reason")).To(Equal("tool_calls"))
	})

	It("is called by a stream of a message, in pieces", func() {
		var text strings.Builder
		all := events(f.ask(reply.Messages, fmt.Sprintf(messagesAsk, `,"stream":true`)).Body)
		for _, e := range all {
			switch e.name {
			case "content_block_start":
				Expect(at(parsed(e.data), "content_block", "name")).To(Equal("other"))
			case "content_block_delta":
				text.WriteString(at(parsed(e.data), "delta", "partial_json").(string))
			case "message_delta":
				Expect(at(parsed(e.data), "delta", "stop_reason")).To(Equal("tool_use"))
			}
		}
		Expect(text.String()).To(Equal(callText))
	})

	It("is called by a stream of a response, in pieces", func() {
		all := events(f.ask(reply.Responses, fmt.Sprintf(responsesAsk, `,"stream":true`), "x-fake-chunk-size", "60").Body)
		Expect(names(all)).To(Equal([]string{
			"response.created", "response.in_progress", "response.output_item.added",
			"response.function_call_arguments.delta", "response.function_call_arguments.done",
			"response.output_item.done", "response.completed",
		}))
		var text strings.Builder
		for _, e := range all {
			if e.name == "response.function_call_arguments.delta" {
				text.WriteString(at(parsed(e.data), "delta").(string))
			}
		}
		// Pieces of a given size are filled up with spaces.
		Expect(strings.TrimRight(text.String(), " ")).To(Equal(callText))
		Expect(text.Len()).To(Equal(120))
		Expect(at(parsed(all[len(all)-1].data), "response", "output", 0, "arguments")).To(Equal(text.String()))
	})
})
