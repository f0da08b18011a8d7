// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

const (
	delta     = `data: {"model":"m-1","choices":[{"delta":{"content":"hi"}}],"usage":null}`
	usageOnly = `data: {"model":"m-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`
	done      = `data: [DONE]`
)

// stream joins blocks with the given line end.
func stream(eol string, blocks ...string) string {
	return strings.Join(blocks, eol+eol) + eol + eol
}

var seven = usage.Counts{Known: true, Input: 3, Output: 4, Total: 7}

var _ = Describe("Stream", func() {
	DescribeTable("reads counts and passes every byte on",
		func(text string, want usage.Counts) {
			everyCut(text, func(pieces ...string) {
				var tally usage.Tally
				s := usage.NewStream(&tally, false)
				for _, piece := range pieces {
					Expect(string(s.Pass([]byte(piece)))).To(Equal(piece), "nothing is held back")
				}
				Expect(s.Close()).To(BeEmpty())
				Expect(tally.Counts()).To(Equal(want), "%q", pieces)
				Expect(tally.Failure()).To(BeNil())
			})
		},
		Entry("a chat stream", stream("\n", delta, usageOnly, done), seven),
		Entry("with CR LF and comments", stream("\r\n", ": ping", delta, ": ping\r\n"+usageOnly, done), seven),
		Entry("data on several lines", "data: {\"usage\":\ndata: {\"prompt_tokens\":3,\ndata: \"completion_tokens\":4}}\n\n", seven),
		Entry("cut before the usage", stream("\n", delta, delta), usage.Counts{}),
		Entry("cut within the usage", stream("\n", delta)+usageOnly[:60], usage.Counts{}),
		Entry("the last empty line missing", stream("\n", delta)+usageOnly, seven),
		Entry("running totals", stream("\n",
			`data: {"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`, usageOnly), seven),
		Entry("Anthropic's two events", stream("\n",
			"event: message_start\n"+`data: {"type":"message_start","message":{"model":"c","usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1}}}`,
			"event: message_delta\n"+`data: {"type":"message_delta","usage":{"output_tokens":8}}`),
			usage.Counts{Known: true, Input: 15, Output: 8, Total: 23, CachedInput: 5}),
		Entry("the events of a response", stream("\n",
			`data: {"type":"response.created","response":{"model":"g","usage":null,"error":null}}`,
			`data: {"type":"response.completed","response":{"model":"g","usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}}`), seven),
		Entry("a broken event between good ones", stream("\n", "data: {]", usageOnly, "data: {"), seven),
	)

	DescribeTable("takes out the chunk that only carries usage, and nothing else",
		func(text, want string, counts usage.Counts) {
			everyCut(text, func(pieces ...string) {
				var tally usage.Tally
				Expect(pass(usage.NewStream(&tally, true), pieces...)).To(Equal(want), "%q", pieces)
				tally.Whole()
				Expect(tally.Counts()).To(Equal(counts))
			})
		},
		Entry("line feeds", stream("\n", delta, usageOnly, done), stream("\n", delta, done), seven),
		Entry("CR LF", stream("\r\n", delta, usageOnly, done), stream("\r\n", delta, done), seven),
		Entry("CR", stream("\r", delta, usageOnly, done), stream("\r", delta, done), seven),
		Entry("at the end", stream("\n", delta, usageOnly), stream("\n", delta), seven),
		Entry("at the end without its empty line", stream("\n", delta)+usageOnly, stream("\n", delta), seven),
		Entry("at the beginning", stream("\r\n", usageOnly, delta), stream("\r\n", delta), seven),
		Entry("comments and empty lines stay", ": a\n\n\n"+stream("\n", delta, usageOnly, ": b"), ": a\n\n\n"+stream("\n", delta, ": b"), seven),
		Entry("not usage on a chunk with content", stream("\n", `data: {"choices":[{}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`),
			stream("\n", `data: {"choices":[{}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`), seven),
		Entry("not a chunk without choices", stream("\n", `data: {"usage":{"prompt_tokens":3,"completion_tokens":4}}`),
			stream("\n", `data: {"usage":{"prompt_tokens":3,"completion_tokens":4}}`), seven),
		Entry("not an error beside usage", stream("\n", delta, `data: {"error":{"code":502},"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}`),
			stream("\n", delta, `data: {"error":{"code":502},"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}`), seven),
		Entry("not usage null", stream("\n", `data: {"choices":[],"usage":null}`), stream("\n", `data: {"choices":[],"usage":null}`), usage.Counts{}),
		Entry("not what is no JSON", stream("\n", delta, `data: {"choices":[],"usage":{"prompt_tokens":3}`), stream("\n", delta, `data: {"choices":[],"usage":{"prompt_tokens":3}`), usage.Counts{}),
		Entry("an unfinished event passes at the end", stream("\n", delta)+`data: {"cho`, stream("\n", delta)+`data: {"cho`, usage.Counts{}),
	)

	It("does not hold an event that is too long to be the usage chunk", func() {
		var tally usage.Tally
		s := usage.NewStream(&tally, true)
		head := `data: {"choices":[],"x":"`
		Expect(s.Pass([]byte(head))).To(BeEmpty())
		filler := strings.Repeat("x", 64<<10)
		Expect(string(s.Pass([]byte(filler)))).To(Equal(head + filler))
		Expect(string(s.Pass([]byte("y")))).To(Equal("y"))
		tail := `","usage":{"prompt_tokens":3,"completion_tokens":4}}` + "\n\n"
		Expect(string(s.Pass([]byte(tail)))).To(Equal(tail))
		Expect(tally.Counts()).To(Equal(seven))
		Expect(s.Pass([]byte(stream("\n", usageOnly)))).To(BeEmpty(), "the next one is taken out again")
		Expect(s.Close()).To(BeEmpty())
	})

	It("passes a whole event on at once", func() {
		var tally usage.Tally
		s := usage.NewStream(&tally, true)
		Expect(string(s.Pass([]byte(stream("\n", delta))))).To(Equal(stream("\n", delta)))
	})

	It("tells of the first error in the stream and of the model that answered last", func() {
		var tally usage.Tally
		s := usage.NewStream(&tally, false)
		s.Pass([]byte(stream("\n", delta, `data: {"error":{"code":429}}`, `data: {"error":{"code":500}}`, `data: {"model":"m-2"}`)))
		Expect(tally.Failure()).To(Equal(&usage.Failure{Code: "429"}))
		Expect(tally.Model()).To(Equal("m-2"))
	})

	It("knows an error that is an event of its own, and one inside a response", func() {
		var first, second usage.Tally
		usage.NewStream(&first, false).Pass([]byte(stream("\n", `data: {"type":"error","code":"x"}`)))
		Expect(first.Failure()).NotTo(BeNil())
		usage.NewStream(&second, false).Pass([]byte(stream("\n", `data: {"type":"response.failed","response":{"error":{"code":"server_error"}}}`)))
		Expect(second.Failure()).To(Equal(&usage.Failure{Code: "server_error"}))
	})
})
