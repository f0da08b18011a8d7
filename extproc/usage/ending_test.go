// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
)

// chunks are events of a chat, each with another text, that end in the given way. There
// %s is what differs.
func chunks(ending string, padding ...string) []string {
	documents := make([]string, len(padding))
	for i, p := range padding {
		documents[i] = `{"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"content":"` +
			strings.Repeat("a", i+1) + `"},"finish_reason":null}]` + strings.ReplaceAll(ending, "%s", p)
	}
	return documents
}

var _ = Describe("Events that end alike but for some padding", func() {
	const padded = `,"usage":null,"obfuscation":"%s"}`
	// By the fifth the padding is known.
	known := chunks(padded, "x", "yy", "zzz", "", "x")
	after := func(documents ...[]string) []string { return slices.Concat(append([][]string{known}, documents...)...) }
	another := func(documents []string) []string {
		for i, d := range documents {
			documents[i] = strings.NewReplacer("chatcmpl-1", "chatcmpl-another", "m-1", "m-9").Replace(d)
		}
		return documents
	}

	DescribeTable("say the same as events of which nothing is remembered",
		func(documents []string) { expectAlike(documents...) },
		Entry("padding", chunks(padded, "x", "yy", "zzz", `\"z`, "", `x\\`, "x", "yy", "\x01", "zzz")),
		Entry("padding that is not whole", after(chunks(`,"usage":null,"obfuscation":"%s`, "x", "yy"))),
		Entry("padding that is no string", after(chunks(`,"usage":null,"obfuscation":%s}`, "1", "12"))),
		Entry("padding, and then more", after(chunks(padded, `z","usage":{"completion_tokens":4},"n":"`, "z"))),
		Entry("something else before it", after(chunks(`,"usage":{"completion_tokens":3},"obfuscation":"%s"}`, "x", "yy"))),
		Entry("something else of that length before it", after(chunks(`,"model":"m","obfuscation":"%s"}`, "x", "yy"))),
		Entry("something else behind it", after(chunks(`,"usage":null,"obfuscation":"%s","model":"m-2"}`, "x", "yy"))),
		Entry("other endings in between", after(chunks(`,"n":1,"model":"m-%s"}`, "1", "2"), known, chunks(`,"type":"%s"}`, "a", "error", "b", "error"))),
		Entry("another beginning", after(another(chunks(padded, "x", "yy", "zzz", "x", "yy")), another(chunks(`,"usage":null,"model":"%s"}`, "m-3", "m-44", "m-5", "m-66")))),
		Entry("a padding that is the model", chunks(`,"n":1,"model":"%s"}`, "m-1", "m-22", "m-333", "m-4444", "m-5", "m-66")),
		Entry("a padding that is an error", chunks(`,"n":1,"type":"%s"}`, "x", "yy", "zzz", "x", "error", "z")),
		Entry("a padding that is a name", chunks(`,"n":1,"%s":{"completion_tokens":9}}`, "x", "yy", "zzz", "x", "usage", "z")),
		Entry("a padding that is a name, with space behind it", chunks(`,"n":1,"%s" : {"completion_tokens":9}}`, "x", "yy", "zzz", "x", "usage", "z")),
		Entry("a padding that is one of several", chunks(`,"n":["a","%s","c"],"usage":null}`, "x", "yy", "zzz", "x", `b","c"],"model":"`, "z")),
		Entry("two paddings", chunks(`,"n":"%s","usage":null,"m":"%s"}`, "x", "yy", "zzz", "x", "z")),
		Entry("a padding behind what is no JSON", chunks(`,"n":"\x","m":"%s"}`, "x", "yy", "zzz", "x", "z")),
	)
})
