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

// numbered are events of a response that begin in the given way, but for the %s, and each
// have another text.
func numbered(beginning string, numbers ...string) []string {
	documents := make([]string, len(numbers))
	for i, n := range numbers {
		documents[i] = `{"type":"response.output_text.delta",` + strings.ReplaceAll(beginning, "%s", n) + `,"delta":"` + strings.Repeat("a", i+1) + `","logprobs":[]}`
	}
	return documents
}

var _ = Describe("Events that begin alike but for a number", func() {
	const sequence = `"sequence_number":%s,"item_id":"m"`
	// By the third the number is known.
	known := numbered(sequence, "8", "9", "10", "11", "12")
	after := func(documents ...[]string) []string { return slices.Concat(append([][]string{known}, documents...)...) }

	DescribeTable("say the same as events of which nothing is remembered",
		func(documents []string) { expectAlike(documents...) },
		Entry("numbers", numbered(sequence, "8", "9", "10", "0", "123456789012345678901234567890", "11")),
		Entry("what is no number", after(numbered(sequence, "", "01", "1.5", "-1", "1e3", "x", "\"a\"", "null", "{}", "1 ", " 1", "12"))),
		Entry("a number and more", after(numbered(sequence, `1,"usage":{"output_tokens":4}`, `12`, `1,"response":{"model":"m-2","usage":{"output_tokens":4}}`))),
		Entry("something else before it", after(numbered(`"response":{"model":"m-2"},"sequence_number":%s,"item_id":"m"`, "1", "2", "3", "4"))),
		Entry("something else behind it", after(numbered(`"sequence_number":%s,"error":{"code":"a"}`, "1", "2", "3", "4"))),
		Entry("a number that is one of usage", numbered(`"response":{"usage":{"output_tokens":%s}}`, "8", "9", "10", "11", "12")),
		Entry("a number that is an error", numbered(`"error":{"code":%s,"message":"a"}`, "8", "9", "10", "11", "12")),
		Entry("a number that is an error's, which is not told yet", []string{
			`{"error":{"code":8,"a":1]`, `{"error":{"code":9,"a":1]`, `{"error":{"code":10,"a":1]`, `{"error":{"code":11,"a":1}}`,
		}),
		Entry("a number that is too large for usage", append(numbered(`"usage":{"output_tokens":%s},"usage":null`,
			"99999999999999999991", "99999999999999999992", "99999999999999999993", "99999999999999999994", "5"),
			`{"type":"response.output_text.delta","usage":{"output_tokens":6},"usage":null,"delta":"a","logprobs":[],"usage":{}}`)),
		Entry("texts that are numbers", []string{
			`{"a long name of nothing in particular":1,"delta":71234567890123456789012345678901234567890  ,"x":"y"}`, `{"a long name of nothing in particular":2,"delta":71234567890123456789012345678901234567890  ,"x":"y"}`,
			`{"a long name of nothing in particular":3,"delta":71234567890123456789012345678901234567890  ,"x":"y"}`, `{"a long name of nothing in particular":4,"delta":71234567890123456789012345678901234567890  ,"x":"y"}`,
		}),
		Entry("a number that is a text", numbered(`"content":[{"text":%s}]`, "8", "9", "10", "11", "12")),
		Entry("a number in a name", numbered(`"item_%s":"m"`, "8", "9", "10", "11", "12")),
		Entry("a number in the model's name", numbered(`"response":{"model":"m-%s"}`, "8", "9", "10", "11", "12")),
		Entry("a string", numbered(`"item_id":"%s"`, "a", "bc", "def", "", "\\", `\"`, "g", `x","model":"m`, "h")),
		Entry("a string that is the model", numbered(`"response":{"model":"%s"}`, "a", "bc", "def", "gh", "i")),
		Entry("a string that is an error", slices.Concat(known, numbered(`"message":"%s"`, "a", "b"), []string{`{"x":"y","type":"a","delta":"b"}`, `{"x":"y","type":"c","delta":"b"}`,
			`{"x":"y","type":"d","delta":"b"}`, `{"x":"y","type":"error","delta":"b"}`})),
		Entry("two numbers", numbered(`"sequence_number":%s,"item_id":"m","n":%s`, "8", "9", "10", "11", "12")),
		Entry("no text any more", after(numbered(sequence, "13"), []string{`{"type":"response.output_text.delta","sequence_number":14,"item_id":"m","delta":{"content":"abc"}}`,
			`{"type":"response.output_text.delta","sequence_number":15,"item_id":"m","delta":7,"response":{"usage":{"output_tokens":3}}}`}, known)),
		Entry("the whole of a response", slices.Concat(
			[]string{`{"type":"response.created","sequence_number":0,"response":{"id":"r","model":"m-1","usage":null}}`}, known,
			[]string{`{"type":"response.output_text.done","sequence_number":13,"item_id":"m","text":"aaa"}`,
				`{"type":"response.completed","sequence_number":14,"response":{"id":"r","model":"m-1","usage":{"input_tokens":3,"output_tokens":15}}}`})),
	)
})

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
		Entry("usage behind the text, and no choices", chunks(`,"choices":[],"usage":{"completion_tokens":4},"n":"%s"}`, "x", "x", "x", "yy", "z")),
		Entry("an ending that is long", chunks(`,"n":"`+strings.Repeat("n", 2000)+`","m":"%s"}`, "x", "yy", "zzz", "x", "z")),
		Entry("two paddings", chunks(`,"n":"%s","usage":null,"m":"%s"}`, "x", "yy", "zzz", "x", "z")),
		Entry("a padding behind what is no JSON", chunks(`,"n":"\x","m":"%s"}`, "x", "yy", "zzz", "x", "z")),
	)
})
