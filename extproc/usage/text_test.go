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
	Entry("what comes of an event that breaks off", `data: {"choices":[{"delta":{"content":"four"},`, int64(1)),
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

	It("are, where the answer ends with them", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", start, text)))
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
