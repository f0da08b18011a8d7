// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

var _ = DescribeTable("Where nothing is written, what was read is all",
	func(body string, want usage.Counts) {
		tally := usage.Tally{InputOnly: true}
		answer := usage.NewBody(&tally)
		answer.Pass([]byte(`{"usage":{` + body + `}}`))
		answer.Close()
		tally.Whole()
		Expect(tally.Counts()).To(Equal(want))
	},
	Entry("the input", `"prompt_tokens":7`, usage.Counts{Known: true, Input: 7, Total: 7}),
	Entry("by its other name", `"input_tokens":7`, usage.Counts{Known: true, Input: 7, Total: 7}),
	Entry("the total", `"total_tokens":7`, usage.Counts{Known: true, Input: 7, Total: 7}),
	Entry("both", `"prompt_tokens":7,"total_tokens":7`, usage.Counts{Known: true, Input: 7, Total: 7}),
	Entry("an output all the same", `"prompt_tokens":7,"completion_tokens":2`, usage.Counts{Known: true, Input: 7, Output: 2, Total: 9}),
	Entry("a total that is more than the input", `"prompt_tokens":7,"total_tokens":9`, usage.Counts{Known: true, Input: 7, Output: 2, Total: 9}),
	Entry("nothing", ``, usage.Counts{}),
)

var _ = Describe("A total alone", func() {
	It("is an estimate's, all of it read but for what was written", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n", `data: {"choices":[{"delta":{"content":"12345678"}}],"usage":{"total_tokens":100}}`)))
		tally.Whole()
		Expect(tally.Counts().Known).To(BeFalse())
		Expect(tally.Estimate(9)).To(Equal(usage.Counts{Estimated: true, Input: 98, Output: 2, Total: 100}))
	})
})

var _ = Describe("A zero", func() {
	It("does not take back what was told before", func() {
		var tally usage.Tally
		usage.NewStream(&tally, false).Pass([]byte(stream("\n",
			`data: {"type":"message_start","message":{"usage":{"input_tokens":1000,"cache_read_input_tokens":50,"output_tokens":1}}}`,
			`data: {"type":"message_delta","usage":{"input_tokens":0,"cache_read_input_tokens":0,"output_tokens":50}}`)))
		Expect(tally.Counts()).To(Equal(usage.Counts{Known: true, Input: 1050, Output: 50, Total: 1100, CachedInput: 50}))
	})
})
