// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

var _ = Describe("Body", func() {
	DescribeTable("reads counts and model",
		func(body string, want usage.Counts, model string) {
			everyCut(body, func(pieces ...string) {
				var tally usage.Tally
				Expect(pass(usage.NewBody(&tally), pieces...)).To(Equal(body))
				Expect(tally.Counts()).To(Equal(want), "%q", pieces)
				Expect(tally.Model()).To(Equal(model))
				Expect(tally.Failure()).To(BeNil())
			})
		},
		Entry("a chat completion",
			`{"id":"x","model":"gpt-4o-mini-2024","choices":[{"message":{"content":"hi","usage":{"prompt_tokens":9}}}],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,`+
				`"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}}`,
			usage.Counts{Known: true, Input: 7, Output: 5, Total: 12, CachedInput: 3, Reasoning: 2}, "gpt-4o-mini-2024"),
		Entry("embeddings", `{"data":[{"embedding":[0.1,-2e-3]}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}`,
			usage.Counts{Known: true, Input: 8, Total: 8}, "e"),
		Entry("a response", `{"object":"response","error":null,"model":"g","usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":16}}`,
			usage.Counts{Known: true, Input: 10, Output: 6, Total: 16, CachedInput: 4, Reasoning: 1}, "g"),
		Entry("a message", `{"type":"message","model":"claude","usage":{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":20,"output_tokens":5}}`,
			usage.Counts{Known: true, Input: 130, Output: 5, Total: 135, CachedInput: 100, CacheCreation: 20}, "claude"),
		Entry("a total that is more than its parts", `{"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":5}}`,
			usage.Counts{Known: true, Input: 1, Output: 4, Total: 5}, ""),
		Entry("a message, with the thoughts that it has", `{"usage":{"input_tokens":10,"output_tokens":50,"output_tokens_details":{"thinking_tokens":40}}}`,
			usage.Counts{Known: true, Input: 10, Output: 50, Total: 60, Reasoning: 40}, ""),
		Entry("a message that was compacted, which its own figures leave out",
			`{"usage":{"input_tokens":412,"output_tokens":12,"cache_read_input_tokens":5,"iterations":[`+
				`{"type":"compaction","input_tokens":1000,"output_tokens":200,"cache_creation_input_tokens":7},{"type":"message","input_tokens":412,"output_tokens":12,"cache_read_input_tokens":5}]}}`,
			usage.Counts{Known: true, Input: 1424, Output: 212, Total: 1636, CachedInput: 5, CacheCreation: 7}, ""),
		Entry("a message in turns that its own figures have", `{"usage":{"iterations":[{"input_tokens":10,"output_tokens":1},{"input_tokens":20,"output_tokens":2}],"input_tokens":30,"output_tokens":3}}`,
			usage.Counts{Known: true, Input: 30, Output: 3, Total: 33}, ""),
		Entry("two usages, each in turns", `{"usage":{"iterations":[{"input_tokens":10,"output_tokens":9}],"input_tokens":5,"output_tokens":1},"response":{"usage":{"iterations":[{"input_tokens":10,"output_tokens":9}],"input_tokens":5,"output_tokens":1}}}`,
			usage.Counts{Known: true, Input: 10, Output: 9, Total: 19}, ""),
		Entry("a message in turns of which some tell nothing", `{"usage":{"iterations":[null,{"input_tokens":10}],"input_tokens":30,"output_tokens":3}}`,
			usage.Counts{Known: true, Input: 30, Output: 3, Total: 33}, ""),
		Entry("a response with a tool that the provider ran, which its usage leaves out",
			`{"usage":{"input_tokens":10,"output_tokens":6,"total_tokens":16},"tool_usage":{"image_gen":{"input_tokens":5000,"output_tokens":6000,"total_tokens":11000},"web_search":{"num_requests":2}}}`,
			usage.Counts{Known: true, Input: 5010, Output: 6006, Total: 11016}, ""),
		Entry("a response with tools that did not run, and no total", `{"tool_usage":{"image_gen":{"input_tokens":0,"output_tokens":0}},"usage":{"input_tokens":10,"output_tokens":6}}`,
			usage.Counts{Known: true, Input: 10, Output: 6, Total: 16}, ""),
		Entry("the end of a response with a tool", `{"type":"response.completed","response":{"tool_usage":{"image_gen":{"input_tokens":3,"output_tokens":4}},"usage":{"input_tokens":10,"output_tokens":6,"total_tokens":16}}}`,
			usage.Counts{Known: true, Input: 13, Output: 10, Total: 23}, ""),
		Entry("a tool alone, which would pass for all", `{"tool_usage":{"image_gen":{"input_tokens":3,"output_tokens":4}},"usage":{}}`,
			usage.Counts{Input: 3, Output: 4, Total: 7}, ""),
		Entry("no total", `{"usage":{"prompt_tokens":1,"completion_tokens":2}}`, usage.Counts{Known: true, Input: 1, Output: 2, Total: 3}, ""),
		Entry("zeros are known", `{"usage":{"prompt_tokens":0,"completion_tokens":0}}`, usage.Counts{Known: true}, ""),
		Entry("reasons beside the output", `{"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}}`,
			usage.Counts{Known: true, Input: 32, Output: 103, Total: 135, Reasoning: 94}, ""),
		Entry("the input and the total", `{"usage":{"prompt_tokens":10,"total_tokens":100}}`, usage.Counts{Known: true, Input: 10, Output: 90, Total: 100}, ""),
		Entry("the output and the total", `{"usage":{"completion_tokens":10,"total_tokens":100}}`, usage.Counts{Known: true, Input: 90, Output: 10, Total: 100}, ""),
		Entry("the input alone, which would pass for all", `{"usage":{"prompt_tokens":7}}`, usage.Counts{Input: 7, Total: 7}, ""),
		Entry("the output alone", `{"usage":{"output_tokens":7}}`, usage.Counts{Output: 7, Total: 7}, ""),
		Entry("the total alone", `{"usage":{"total_tokens":100}}`, usage.Counts{Total: 100}, ""),
		Entry("a total that is less than the input", `{"usage":{"prompt_tokens":10,"total_tokens":9}}`, usage.Counts{Input: 10, Total: 10}, ""),
		Entry("a total that is less than the output", `{"usage":{"completion_tokens":10,"total_tokens":9}}`, usage.Counts{Output: 10, Total: 10}, ""),
		Entry("a total that is less than its parts", `{"usage":{"prompt_tokens":10,"completion_tokens":50,"total_tokens":10}}`,
			usage.Counts{Known: true, Input: 10, Output: 50, Total: 60}, ""),
		Entry("an output that is no count", `{"usage":{"prompt_tokens":10,"completion_tokens":5.5}}`, usage.Counts{Input: 10, Total: 10}, ""),
		Entry("an input that is too large", `{"usage":{"prompt_tokens":10000000000000000000,"completion_tokens":5}}`, usage.Counts{Output: 5, Total: 5}, ""),
		Entry("both vocabularies, one with zeros", `{"usage":{"prompt_tokens":0,"completion_tokens":0,"input_tokens":100,"output_tokens":5,"total_tokens":105}}`,
			usage.Counts{Known: true, Input: 100, Output: 5, Total: 105}, ""),
		Entry("both vocabularies, with cached tokens", `{"usage":{"prompt_tokens":900,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":800},"cache_read_input_tokens":800}}`,
			usage.Counts{Known: true, Input: 900, Output: 5, Total: 905, CachedInput: 800}, ""),
		Entry("cached tokens that the input has, as their details say", `{"usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":60},"cache_read_input_tokens":60,"output_tokens":5}}`,
			usage.Counts{Known: true, Input: 100, Output: 5, Total: 105, CachedInput: 60}, ""),
		Entry("cached tokens that the input has, as the total says", `{"usage":{"input_tokens":100,"cache_read_input_tokens":60,"output_tokens":5,"total_tokens":105}}`,
			usage.Counts{Known: true, Input: 100, Output: 5, Total: 105, CachedInput: 60}, ""),
		Entry("cached tokens that the input has not, as the total says", `{"usage":{"input_tokens":100,"cache_read_input_tokens":60,"output_tokens":5,"total_tokens":165}}`,
			usage.Counts{Known: true, Input: 160, Output: 5, Total: 165, CachedInput: 60}, ""),
		Entry("cached tokens that were written, as OpenAI tells them in responses", `{"usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":60,"cache_write_tokens":30},"output_tokens":5,"total_tokens":105}}`,
			usage.Counts{Known: true, Input: 100, Output: 5, Total: 105, CachedInput: 60, CacheCreation: 30}, ""),
		Entry("cached tokens that were written, as a chat tells them", `{"usage":{"prompt_tokens":100,"prompt_tokens_details":{"cache_write_tokens":30},"completion_tokens":5}}`,
			usage.Counts{Known: true, Input: 100, Output: 5, Total: 105, CacheCreation: 30}, ""),
		Entry("cached tokens that were written, told by both vocabularies", `{"usage":{"prompt_tokens":900,"completion_tokens":5,"prompt_tokens_details":{"cache_write_tokens":800},"cache_creation_input_tokens":800}}`,
			usage.Counts{Known: true, Input: 900, Output: 5, Total: 905, CacheCreation: 800}, ""),
		Entry("cached tokens that were written and are in the input, as their details say", `{"usage":{"input_tokens":100,"input_tokens_details":{"cache_write_tokens":30},"cache_creation_input_tokens":30,"output_tokens":5}}`,
			usage.Counts{Known: true, Input: 100, Output: 5, Total: 105, CacheCreation: 30}, ""),
		Entry("what Python writes, which is no JSON", `{"choices":[{"logprobs":[NaN,-Infinity,Infinity]}],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":NaN}}`,
			usage.Counts{Known: true, Input: 1, Output: 2, Total: 3}, ""),
		Entry("a byte order mark in front", "\xef\xbb\xbf"+`{"usage":{"prompt_tokens":1,"completion_tokens":2}}`, usage.Counts{Known: true, Input: 1, Output: 2, Total: 3}, ""),
		Entry("counts that are none", `{"usage":{"prompt_tokens":NaN,"completion_tokens":Infinity,"total_tokens":-Infinity}}`, usage.Counts{}, ""),
		Entry("usage in one place and null in another", `{"response":{"usage":{"input_tokens":1,"output_tokens":2}},"usage":null,"message":{"usage":null}}`,
			usage.Counts{Known: true, Input: 1, Output: 2, Total: 3}, ""),
		Entry("usage in its place and nothing in that of the begin", `{"usage":{"input_tokens":1,"output_tokens":2},"message":{"usage":{}}}`,
			usage.Counts{Known: true, Input: 1, Output: 2, Total: 3}, ""),
		Entry("an error that is none", `{"error":"","usage":{"prompt_tokens":1,"completion_tokens":2}}`, usage.Counts{Known: true, Input: 1, Output: 2, Total: 3}, ""),
		Entry("an error that is empty", `{"error":{},"usage":{"prompt_tokens":1,"completion_tokens":2}}`, usage.Counts{Known: true, Input: 1, Output: 2, Total: 3}, ""),
		Entry("usage null", `{"usage":null,"model":"m"}`, usage.Counts{}, "m"),
		Entry("usage empty", `{"usage":{}}`, usage.Counts{}, ""),
		Entry("usage of another kind", `{"usage":{"prompt_tokens":"7","total_tokens":-1}}`, usage.Counts{}, ""),
		Entry("no usage", `{}`, usage.Counts{}, ""),
		Entry("an array", `[{"usage":{"prompt_tokens":7}}]`, usage.Counts{}, ""),
		Entry("a model unfit for a label", `{"model":"a\nb"}`, usage.Counts{}, ""),
		Entry("a body cut short", `{"usage":{"prompt_tokens":7,"total_tokens":7}`, usage.Counts{}, ""),
		Entry("no JSON", `<html>`, usage.Counts{}, ""),
	)

	DescribeTable("recognises errors",
		func(body string, want usage.Failure) {
			everyCut(body, func(pieces ...string) {
				var tally usage.Tally
				Expect(pass(usage.NewBody(&tally), pieces...)).To(Equal(body))
				Expect(tally.Failure()).To(Equal(&want), "%q", pieces)
			})
		},
		Entry("a code that is a number", `{"error":{"code":401,"message":"Invalid API key"}}`, usage.Failure{Code: "401"}),
		Entry("a code that is text", `{"error":{"code":"model_not_ready","type":"server_error"}}`, usage.Failure{Code: "model_not_ready", Type: "server_error"}),
		Entry("a code that is null", `{"error":{"code":null,"type":"x"}}`, usage.Failure{Type: "x"}),
		Entry("Anthropic's", `{"type":"error","error":{"type":"overloaded_error","message":"no"}}`, usage.Failure{Type: "overloaded_error"}),
		Entry("an error that is text", `{"error":"boom"}`, usage.Failure{}),
	)

	It("keeps a name that is clean and refuses one that is not", func() {
		Expect(usage.CleanName("xai/grok-4.5")).To(BeTrue())
		Expect(usage.CleanName("modèle")).To(BeTrue())
		Expect(usage.CleanName("a b")).To(BeTrue())
		for _, name := range []string{"", " a", "a ", "a\tb", "a\x7f", "\xff", string(make([]byte, 300))} {
			Expect(usage.CleanName(name)).To(BeFalse(), "%q", name)
		}
		long := make([]byte, 256)
		for i := range long {
			long[i] = 'a'
		}
		Expect(usage.CleanName(string(long))).To(BeTrue())
		Expect(usage.CleanName(string(long) + "a")).To(BeFalse())
	})
})
