// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

var _ = DescribeTable("An estimate counts what a model wrote, however the answer is cut",
	func(text string, output int64) {
		everyCut(text, func(pieces ...string) {
			var tally usage.Tally
			pass(usage.NewStream(&tally, false), pieces...)
			Expect(tally.Estimate(10)).To(Equal(usage.Counts{Estimated: true, Input: 10, Output: output, Total: 10 + output}), "%q", pieces)
			Expect(tally.Begun()).To(Equal(output > 0))
		})
	},
	Entry("nothing", "", int64(0)),
	Entry("four bytes a token", stream("\n", `data: {"choices":[{"delta":{"content":"123456789"}}]}`), int64(3)),
	Entry("at least one a piece", stream("\n", `data: {"choices":[{"delta":{"content":"a"}}]}`, `data: {"choices":[{"delta":{"content":"b"}}]}`), int64(2)),
	Entry("not empty ones", stream("\n", `data: {"choices":[{"delta":{"content":"","role":"assistant"}}]}`), int64(0)),
	Entry("every choice", stream("\n", `data: {"choices":[{"text":"a"},{"text":"b"}]}`), int64(2)),
	Entry("calls of tools", stream("\n", `data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":"}}]}}]}`), int64(2)),
	Entry("reasoning", stream("\n", `data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}`, `data: {"type":"content_block_delta","delta":{"thinking":"hm"}}`), int64(2)),
	Entry("reasoning by another name", stream("\n", `data: {"choices":[{"delta":{"reasoning":"hm"}}]}`), int64(1)),
	Entry("calls of functions, as they were before tools", stream("\n", `data: {"choices":[{"delta":{"function_call":{"name":"f","arguments":"{\"a\":"}}}]}`), int64(2)),
	Entry("a response's text once, not again where it is repeated", stream("\n", `data: {"type":"response.output_text.delta","delta":"four"}`,
		`data: {"type":"response.output_text.done","text":"four"}`, `data: {"type":"response.content_part.done","part":{"text":"four"}}`), int64(1)),
	Entry("speech, by its words", stream("\n", `data: {"choices":[{"delta":{"audio":{"id":"a","data":"AAAAAAAAAAAAAAAAAAAAAAAA","transcript":"four"}}}]}`), int64(1)),
	Entry("a summary of what was said", stream("\n", `data: {"type":"content_block_delta","delta":{"type":"compaction_delta","content":"eight by"}}`), int64(2)),
	Entry("what comes of an event that breaks off", `data: {"choices":[{"delta":{"content":"four"},`, int64(1)),
)

var _ = DescribeTable("Tokens of the provider's tools count beside an estimate, and say nothing of the model's",
	func(usageBlock string) {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", `data: {"type":"response.output_text.delta","delta":"eight by"}`,
			`data: {"type":"response.failed","response":{"usage":`+usageBlock+`,"tool_usage":{"image_gen":{"input_tokens":3,"output_tokens":4}}}}`)))
		Expect(tally.Counts().Known).To(BeFalse())
		Expect(tally.Estimate(10)).To(Equal(usage.Counts{Estimated: true, Input: 13, Output: 6, Total: 19}))
	},
	Entry("without usage", "null"),
	Entry("with zeros", `{"input_tokens":0,"output_tokens":0}`),
	Entry("with none", `{}`),
)

var _ = Describe("The first counts of a stream of messages", func() {
	const start = `data: {"type":"message_start","message":{"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1}}}`
	const text = `data: {"type":"content_block_delta","delta":{"text":"eight by"}}`

	It("are not what it costs, as long as more may come", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", start, text)))
		Expect(tally.Counts().Known).To(BeFalse())
		Expect(tally.Estimate(99)).To(Equal(usage.Counts{Estimated: true, Input: 15, Output: 2, Total: 17}))
	})

	It("are not, where the answer ends with text and nothing that counts it", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", start, text)))
		tally.Whole()
		Expect(tally.Counts().Known).To(BeFalse())
		Expect(tally.Estimate(99)).To(Equal(usage.Counts{Estimated: true, Input: 15, Output: 2, Total: 17}))
	})

	It("are, where the answer ends with them", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", start)))
		Expect(tally.Counts().Known).To(BeFalse())
		tally.Whole()
		Expect(tally.Counts()).To(Equal(usage.Counts{Known: true, Input: 15, Output: 1, Total: 16, CachedInput: 5}))
	})

	It("are not, where it ends with an error", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", start, `data: {"type":"error"}`)))
		tally.Whole()
		Expect(tally.Counts().Known).To(BeFalse())
	})
})

var _ = Describe("Counts told in the midst of a stream", func() {
	const begin = `data: {"choices":[{"delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":3,"completion_tokens":0,"total_tokens":3}}`

	It("are known as long as nothing is written that they do not cover", func() {
		var tally usage.Tally
		s := usage.NewStream(&tally, false)
		s.Pass([]byte(stream("\n", begin)))
		Expect(tally.Counts()).To(Equal(usage.Counts{Known: true, Input: 3, Total: 3}))
		s.Pass([]byte(stream("\n", delta, delta)))
		Expect(tally.Counts().Known).To(BeFalse())
		Expect(tally.Estimate(99)).To(Equal(usage.Counts{Estimated: true, Input: 3, Output: 2, Total: 5}))
		s.Pass([]byte(stream("\n", usageOnly)))
		Expect(tally.Counts()).To(Equal(seven))
	})

	It("cover the text of their own event", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", begin,
			`data: {"usage":{"prompt_tokens":3,"completion_tokens":1},"choices":[{"delta":{"content":"hi"}}]}`)))
		Expect(tally.Counts()).To(Equal(usage.Counts{Known: true, Input: 3, Output: 1, Total: 4}))
	})

	DescribeTable("do not cover what they know nothing of",
		func(usageOf string) {
			var tally usage.Tally
			usage.NewStream(&tally, false).Pass([]byte(stream("\n", begin, `data: {"choices":[{"delta":{"content":"12345678"}}],`+usageOf+`}`)))
			Expect(tally.Counts().Known).To(BeFalse())
			Expect(tally.Estimate(99)).To(Equal(usage.Counts{Estimated: true, Input: 3, Output: 2, Total: 5}))
		},
		Entry("nothing", `"usage":{}`),
		Entry("the input alone", `"usage":{"prompt_tokens":3}`),
		Entry("an output that is none", `"usage":{"completion_tokens":NaN}`),
		Entry("no output beside some", `"usage":{"prompt_tokens":3,"completion_tokens":0,"total_tokens":3}`),
		Entry("the begin", `"message":{"usage":{"output_tokens":0}}`),
	)

	It("do not cover more where the begin comes again", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", begin, delta, `data: {"message":{"usage":{"output_tokens":1}}}`)))
		Expect(tally.Counts().Known).To(BeFalse())
	})

	It("are what an estimate adds to", func() {
		var tally usage.Tally
		s := usage.NewStream(&tally, false)
		s.Pass([]byte(stream("\n", delta, `data: {"usage":{"prompt_tokens":3,"completion_tokens":1000,"total_tokens":1500}}`)))
		Expect(tally.Counts()).To(Equal(usage.Counts{Known: true, Input: 3, Output: 1497, Total: 1500}))
		s.Pass([]byte(stream("\n", `data: {"choices":[{"delta":{"content":"12345678"}}]}`, `data: {"choices":[{"delta":{"content":3}}]}`)))
		Expect(tally.Estimate(99)).To(Equal(usage.Counts{Estimated: true, Input: 3, Output: 1499, Total: 1502}))
		Expect(tally.Counts().Known).To(BeFalse())
	})

	It("do not cover text that is a number", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", usageOnly, `data: {"choices":[{"delta":{"content":3}}]}`)))
		Expect(tally.Counts().Known).To(BeFalse())
		Expect(tally.Told()).To(BeTrue())
	})

	It("stay known when what was known at the begin comes again", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", usageOnly, `data: {"message":{"usage":{"input_tokens":3}}}`)))
		Expect(tally.Counts()).To(Equal(seven))
	})

	It("do not cover an event that breaks off", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", begin) + `data: {"choices":[{"delta":{"content":"hi"}}],`))
		Expect(tally.Counts().Known).To(BeFalse())
	})

	DescribeTable("are what it costs where the answer ends so, unless with an error",
		func(last string, known bool) {
			var tally usage.Tally
			usage.NewStream(&tally, false).Pass([]byte(stream("\n", begin, delta, last)))
			tally.Whole()
			Expect(tally.Counts()).To(Equal(usage.Counts{Known: known, Input: 3, Total: 3}))
		},
		Entry("the end", done, true),
		Entry("an error", `data: {"error":{"code":502}}`, false),
	)
})
