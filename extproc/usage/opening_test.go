// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

// told is what a tally knows.
func told(t *usage.Tally) string {
	return fmt.Sprintf("%+v %+v %q %+v", t.Counts(), t.Estimate(7), t.Model(), t.Failure())
}

// expectAlike reads events as they are and byte by byte. Pieces of a byte never show a
// beginning that is long enough to be remembered.
func expectAlike(documents ...string) {
	GinkgoHelper()
	expectAlikeOnce(documents...)
	// And with a beginning that is known, and no more compared (maxTries).
	last := len(documents) - 1
	expectAlikeOnce(slices.Concat(slices.Repeat(documents[:last], 6), documents[last:])...)
}

func expectAlikeOnce(documents ...string) {
	GinkgoHelper()
	text := "data: " + strings.Join(documents, "\n\ndata: ") + "\n\n"
	for _, strip := range []bool{false, true} {
		var alone, remembering usage.Tally
		bytewise, eventwise := usage.NewStream(&alone, strip), usage.NewStream(&remembering, strip)
		var want, got strings.Builder
		for i := range len(text) {
			want.Write(bytewise.Pass([]byte(text[i : i+1])))
		}
		for _, event := range strings.SplitAfter(text, "\n\n") {
			got.Write(eventwise.Pass([]byte(event)))
			seen := want.String()[:got.Len()]
			Expect(got.String()).To(Equal(seen))
		}
		want.Write(bytewise.Close())
		got.Write(eventwise.Close())
		Expect(got.String()).To(Equal(want.String()))
		Expect(told(&remembering)).To(Equal(told(&alone)))
	}
}

var _ = Describe("Events that begin alike", func() {
	const head = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"content":`
	const noUsage = `{"usage":{},"message":{"usage":null},"a name":`
	const delta = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`
	other := `{"x":"` + strings.Repeat("x", len(delta)-len(`{"x":"","us`)) + `","us`
	word := func(text string) string { return head + `"` + text + `"},"finish_reason":null}]}` }

	DescribeTable("say the same as events of which nothing is remembered",
		expectAlike,
		Entry("words", word("a"), word(" bc"), word("def"), word("g")),
		Entry("the same word, again and again", word("a"), word("a"), word("a"), word("a")),
		Entry("words with escapes", word(`\"`), word(`\u0061`), word(`\n`), word(`\\`)),
		Entry("another model in between", word("a"), word("b"), strings.ReplaceAll(word("c"), "m-1", "m-2"), word("d"),
			strings.ReplaceAll(word("e"), "m-1", "m-2"), strings.ReplaceAll(word("f"), "m-1", "m-2")),
		Entry("a model that ends otherwise", word("a"), word("b"), word("c"), strings.ReplaceAll(word("d"), "m-1", "m-11"), word("e")),
		Entry("text before the rest", `{"choices":[{"delta":{"content":"the same text each time"}}],"model":"m-1","id":1}`,
			`{"choices":[{"delta":{"content":"the same text each time"}}],"model":"m-1","id":2}`,
			`{"choices":[{"delta":{"content":"the same text each time"}}],"model":"m-2","id":2}`),
		Entry("usage before the rest", `{"usage":{"prompt_tokens":3,"completion_tokens":1},"choices":[],"id":1}`,
			`{"usage":{"prompt_tokens":3,"completion_tokens":1},"choices":[],"id":2}`,
			`{"usage":{"prompt_tokens":3,"completion_tokens":1},"choices":[{}],"id":3}`,
			`{"usage":{"prompt_tokens":3,"completion_tokens":12},"choices":[],"id":4}`),
		Entry("usage that the third event tells first", `{"usage":{"prompt_tokens":3,"completion_tokens":1},"id":1]`,
			`{"usage":{"prompt_tokens":3,"completion_tokens":1},"id":2]`, `{"usage":{"prompt_tokens":3,"completion_tokens":1},"id":3}`),
		Entry("chunks of usage alone", `{"usage":{"prompt_tokens":3,"completion_tokens":1},"choices":[],"id":1}`,
			`{"usage":{"prompt_tokens":3,"completion_tokens":1},"choices":[],"id":2}`, `{"usage":{"prompt_tokens":3,"completion_tokens":1},"choices":[],"id":3}`),
		Entry("chunks without choices whose usage differs", `{"choices":[],"a long name of nothing":1,"usage":{"prompt_tokens":3}}`,
			`{"choices":[],"a long name of nothing":1,"usage":{"prompt_tokens":4}}`, `{"choices":[],"a long name of nothing":1,"usage":{"prompt_tokens":5}}`),
		Entry("numbers of a usage that is not whole", `{"usage":{"prompt_tokens":3,"completion_tokens":1,"total`,
			`{"usage":{"prompt_tokens":3,"completion_tokens":1,"total`, `{"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`),
		Entry("an error that the third event tells first", `{"error":{"code":"rate_limit_exceeded","type":"requests"},"id":1]`,
			`{"error":{"code":"rate_limit_exceeded","type":"requests"},"id":2]`, `{"error":{"code":"rate_limit_exceeded","type":"requests"},"id":3}`),
		Entry("an error's code before the error is whole", `{"error":{"code":"rate_limit_exceeded","type":"requests","message":1]`,
			`{"error":{"code":"rate_limit_exceeded","type":"requests","message":2]`, `{"error":{"code":"rate_limit_exceeded","type":"requests","message":3}}`),
		Entry("an error by its type alone", `{"type":"error","a long name of nothing":1]`, `{"type":"error","a long name of nothing":2]`, `{"type":"error","a long name of nothing":3}`),
		Entry("usage that tells nothing", `{"usage":{},"a long name of nothing":1,"choices":[]}`, `{"usage":{},"a long name of nothing":2,"choices":[]}`, `{"usage":{},"a long name of nothing":3,"choices":[]}`),
		Entry("a short one of another model in between", word("a"), word("b"), `{"model":"m-2"}`, word("c")),
		Entry("a start's usage that tells nothing", `{"message":{"usage":{}},"a long name of nothing":1,"choices":[]}`,
			`{"message":{"usage":{}},"a long name of nothing":2,"choices":[]}`, `{"message":{"usage":{}},"a long name of nothing":3,"choices":[]}`),
		Entry("no choices before the rest", `{"choices":[],"a long name of nothing in particular":1,"usage":{"prompt_tokens":3}}`,
			`{"choices":[],"a long name of nothing in particular":1,"usage":{"prompt_tokens":4}}`,
			`{"choices":[],"a long name of nothing in particular":1,"usage":null}`),
		Entry("an error before the rest", `{"error":{"code":"rate_limit_exceeded","type":"requests"},"id":1}`,
			`{"error":{"code":"rate_limit_exceeded","type":"requests"},"id":2}`),
		Entry("an error's code and no error", `{"error":{"code":"rate_limit_exceeded","type":"requests"`, `{"error":{"code":"rate_limit_exceeded","type":"requests"}}`),
		Entry("what is no JSON", word("a"), word("b"), head+`]`, word("c"), `[DONE]`, word("d")),
		Entry("no JSON that begins alike", `{"a beginning of more than 32 bytes, ]`, `{"a beginning of more than 32 bytes": ]]1`, `{"a beginning of more than 32 bytes": ]]2`),
		Entry("what is not whole", word("a"), word("b"), head, head+`"c`, word("d")),
		Entry("the usage at the end", word("a"), word("b"), word("c"),
			`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":3}}`),
		Entry("Anthropic's", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}`,
			`{"type":"message_delta","usage":{"output_tokens":8}}`),
		Entry("numbers before the text", `{"a long name of nothing in particular":1,"b":"c","choices":[{"text":"d"}]}`, `{"a long name of nothing in particular":23,"b":"c","choices":[{"text":"d"}]}`,
			`{"a long name of nothing in particular":456,"b":"c","choices":[{"text":"d"}]}`, `{"a long name of nothing in particular":789012345678901234567890,"b":"c","choices":[{"text":"d"}]}`),
		Entry("a text where the document before that is compared with has none", delta+`a"}}`, delta+`b"}}`, delta+`c"}}`,
			other+`er":{},"x":1}`, delta+`d"},"more":1}`, other+`er":{"completion_tokens":7},"delta":{"text":"x"}}`,
			other+`er":{"completion_tokens":7},"delta":{"text":"x"}}`, other+`age":{"completion_tokens":7},"delta":{"text":"x"}}`),
		Entry("what is no usage after what is an empty one", noUsage+`1]`, noUsage+`2]`, noUsage+`3]`, noUsage+`4]`, noUsage+`5]`, noUsage+`6]`, noUsage+`7]`,
			noUsage+`8,"message":{"usage":{"prompt_tokens":3}}}`),
		Entry("keys in deep places", `{"a":{"b":[[{"c":{"choices":[{"delta":{"content":"x"}}]}}]]},"n":1}`, `{"a":{"b":[[{"c":{"choices":[{"delta":{"content":"y"}}]}}]]},"n":12}`,
			`{"a":{"b":[[{"c":{"choices":[{"delta":{"content":"z"}}]}}]]},"n":123}`),
	)

	It("say the same whatever they are made of, and however they are cut", func() {
		heads := []string{head, strings.ReplaceAll(head, "m-1", "m-2"), `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":`, `{"a long name of nothing":"`, `{`, ``,
			`{"type":"response.output_text.delta","n":1,"m":"a","delta":`, `{"type":"response.output_text.delta","n":2,"m":"a","delta":`, `{"type":"response.output_text.delta","n":23,"m":"a","delta":`,
			`{"type":"response.output_text.delta","n":01,"m":"a","delta":`, `{"type":"response.output_text.delta","n":,"m":"a","delta":`, `{"type":"response.output_text.delta","n":2.5,"m":"a","delta":`,
			`{"type":"response.output_text.delta","n":2,"m":"bc","delta":`, `{"type":"response.output_text.delta","n":2,"m":"\\","delta":`, `{"type":"response.output_text.delta","usage":{"output_tokens":5},"delta":`,
			`{"type":"response.output_text.delta","model":"m-4","m":"a","delta":`, `{"type":"response.output_text.delta","model":"m-5","m":"a","delta":`, `{"response":{"model":"m-6","usage":null},"n":3,"delta":`,
		}
		texts := []string{`"a text of some length"`, `"bc"`, `"\""`, `"\\"`, `"\u0061"`, `""`, "\"\x01\"", `"\x"`, `"`, `null`, `1`, `["a"]`, ``}
		endings := []string{
			`},"finish_reason":null}]}`, `},"finish_reason":"stop"}]}`, `}}`, `}}]}`, `}},{"delta":{"content":"b"}}]}`, `}},{"text":""}]}`, `}},{"text":1}]}`,
			`}}],"model":"m-3"}`, `}}],"usage":null}`, `}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}`, `}}],"usage":{"prompt_tokens":4}}`, `}}],"usage":{"prompt_tokens":3`,
			`}}],"usage":null,"obfuscation":"a"}`, `}}],"usage":null,"obfuscation":"bcd"}`, `}}],"usage":null,"obfuscation":"\""}`, `}}],"usage":null,"obfuscation":"\"`, "}}],\"x\":\"\x01\"}", `}}],"type":"a"}`,
			`}}],"type":"error"}`, `}}],"type":"ab"}`, `}}],"model":"m-33"}`, `}}],"usage":{"a":"b","c":"d"}}`, `}}],"usage":{"a":"b","cc":"d"}}`, `}}],"x":"a","choices":[]}`, `}}],"x":"bc","choices":[]}`,
			`}}],"x":"a","xy":"a"}`, `}}],"x":"b","xy":"a"}`, `}}],"x":"b","xz":"a"}`, `}}],"x":["a","b"]}`, `}}],"x":["a","bc"]}`, `}}],"x":["a"]}`,
			`}}],"error":{"code":401}}`, `}}],"error":null}`, `}}],"choices":[]}`, `}}]} `, `}}]} x`, "}}]}\ndata: ", "}}]}\ndata: 1", `}`, `"}}]}`, ``,
		}
		random := rand.New(rand.NewPCG(1, uint64(GinkgoRandomSeed())))
		pick := func(of []string) string { return of[random.IntN(len(of))] }
		for range 3000 {
			// Few of each, so that they come again.
			few := func(of []string) []string { return []string{of[0], of[0], pick(of), pick(of)} }
			heads, texts, endings := few(heads), few(texts), few(endings)
			var text strings.Builder
			for range 14 {
				text.WriteString("data: " + pick(heads) + pick(texts) + pick(endings) + "\n\n")
			}
			var alone, whole, cut usage.Tally
			pass(usage.NewStream(&alone, false), strings.Split(text.String(), "")...)
			pass(usage.NewStream(&whole, false), strings.SplitAfter(text.String(), "\n\n")...)
			at := random.IntN(text.Len())
			pass(usage.NewStream(&cut, false), text.String()[:at], text.String()[at:])
			Expect(told(&whole)).To(Equal(told(&alone)), "%q", text.String())
			Expect(told(&cut)).To(Equal(told(&alone)), "%q cut at %d", text.String(), at)
		}
	})

	It("go on without a copy", func() {
		events := make([]string, 50)
		for i := range events {
			events[i] = "data: " + word(strings.Repeat("x", i+1)) + "\n\n"
		}
		var tally usage.Tally
		s := usage.NewStream(&tally, true)
		for _, event := range events {
			in := []byte(event)
			out := s.Pass(in)
			Expect(string(out)).To(Equal(event))
			Expect(&out[0]).To(BeIdenticalTo(&in[0]), "what goes on whole is not copied")
		}
	})
})
