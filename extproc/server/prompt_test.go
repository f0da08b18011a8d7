// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = DescribeTable("A prompt is estimated by its text: four bytes a token",
	func(path, fields string, tokens float64) {
		replies := newBench(nil).play(post(path), requestBody(`{"model":"gpt",`+fields+`}`, true))
		Expect(lastMetadata(replies)).To(And(HaveKeyWithValue("total_tokens", tokens), HaveKeyWithValue("estimated", true)))
	},
	Entry("none", chatPath, `"messages":[]`, 0.0),
	Entry("texts", chatPath, `"messages":[{"role":"system","content":"12345678"},{"role":"user","content":"12345678"}]`, 4.0),
	Entry("parts, without the image", chatPath, `"messages":[{"content":[{"type":"text","text":"12345678"},{"type":"image_url","image_url":{"url":"data:`+strings.Repeat("A", 9000)+`"}}]}]`, 2.0),
	Entry("calls of tools", chatPath, `"messages":[{"content":null,"tool_calls":[{"function":{"name":"f","arguments":"12345678"}}]}]`, 2.0),
	Entry("the tools themselves", chatPath, `"tools":[{"a":"b"}],"messages":[]`, 3.0),
	Entry("functions, as they were before tools", chatPath, `"functions":[{"a":"b"}],"messages":[]`, 3.0),
	Entry("what the answer is to look like", chatPath, `"response_format":{"a":"b"},"messages":[]`, 3.0),
	Entry("what a tool was called with", "/v1/messages", `"messages":[{"content":[{"type":"tool_use","name":"f","input":{"a":"b"}}]}]`, 3.0),
	Entry("a document", "/v1/messages", `"messages":[{"content":[{"type":"document","source":{"data":"12345678","media_type":"text/plain","type":"text"}}]}]`, 2.0),
	Entry("a document in parts", "/v1/messages", `"messages":[{"content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"12345678"}]}}]}]`, 2.0),
	Entry("no other document", "/v1/messages", `"messages":[{"content":[{"type":"document","source":{"type":"base64","data":"12345678"}},{"type":"document","source":{"data":"12345678"}}]}]`, 0.0),
	Entry("a document without its text, behind one with it", "/v1/messages", `"messages":[{"content":[{"source":{"type":"text","data":"12345678"}},{"source":{"type":"text"}}]}]`, 2.0),
	Entry("a system prompt and a tool's result", "/v1/messages", `"system":[{"type":"text","text":"1234"}],"messages":[{"content":[{"type":"tool_result","content":[{"type":"text","text":"12345678"}]}]}]`, 3.0),
	Entry("instructions and items", "/v1/responses", `"instructions":"1234","input":[{"role":"user","content":[{"type":"input_text","text":"1234"}]},{"type":"function_call_output","output":"12345678"}]`, 4.0),
	Entry("one text", "/v1/embeddings", `"input":"12345678"`, 2.0),
	Entry("several", "/v1/embeddings", `"input":["1234","12345678"]`, 3.0),
	Entry("tokens", "/v1/completions", `"prompt":[[1,22222222],[3]]`, 3.0),
	Entry("nothing of what is no prompt", chatPath, `"metadata":{"content":"12345678"},"user":"12345678","messages":[{"name":"12345678","content":"1234"}]`, 1.0),
)
