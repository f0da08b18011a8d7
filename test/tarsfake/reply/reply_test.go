// SPDX-License-Identifier: Apache-2.0

package reply_test

import (
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
)

func TestReply(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/tarsfake/reply")
}

func answer(kind reply.Kind, change func(*behaviour.Behaviour)) reply.Answer {
	GinkgoHelper()
	b := behaviour.Normal()
	change(&b)
	a, err := reply.New(reply.Request{Kind: kind, Model: "m", Stream: true, Prompt: "hi"}, b)
	Expect(err).NotTo(HaveOccurred())
	return a
}

var _ = Describe("An answer", func() {
	DescribeTable("is cut into pieces", func(content string, chunks, size int, want ...string) {
		a := answer(reply.Chat, func(b *behaviour.Behaviour) { b.Content, b.Chunks, b.ChunkSize = content, chunks, size })
		Expect(a.Pieces).To(Equal(want))
		Expect(a.Text()).To(Equal(strings.Join(want, "")))
	},
		Entry("of two words", "a b c d e", 0, 0, "a b ", "c d ", "e"),
		Entry("by number", "abcde", 2, 0, "abc", "de."),
		Entry("by number, more than there are letters", "ab", 4, 0, "a", "b", ".", "."),
		Entry("by number, with room for none", "abcd", 3, 0, "ab", "cd", ".."),
		Entry("by length", "abcde", 0, 2, "ab", "cd", "e."),
		Entry("by both, and filled", "abc", 3, 2, "ab", "c.", ".."),
		Entry("by both, and too long", "abcdef", 2, 2, "ab", "cdef"),
		Entry("and never within a character", "\u2713\u2713", 0, 1, "\u2713", "\u2713"),
	)

	It("stops when nobody listens", func() {
		for _, kind := range []reply.Kind{reply.Chat, reply.Completions, reply.Responses, reply.Messages} {
			a := answer(kind, func(b *behaviour.Behaviour) { b.Chunks = 3 })
			total := 0
			for _, err := range a.Events() {
				Expect(err).NotTo(HaveOccurred())
				total++
			}
			for stop := 1; stop <= total; stop++ {
				seen := 0
				for event, err := range a.Events() {
					Expect(err).NotTo(HaveOccurred())
					Expect(event.Last).To(Equal(seen == total-1))
					if seen++; seen == stop {
						break
					}
				}
				Expect(seen).To(Equal(stop))
			}
		}
	})

	It("names the owner of each model", func() {
		for id, owner := range map[string]string{"gpt-4o-mini": "openai", "claude-x": "anthropic", "gemini-x": "gemini", "groq/claude-x": "groq"} {
			Expect(reply.Model(id)).To(HaveKeyWithValue("owned_by", owner))
		}
	})

	It("names the path of each API", func() {
		kind, known := reply.KindOf("/v1/messages")
		Expect(kind).To(Equal(reply.Messages))
		Expect(known).To(BeTrue())
		_, known = reply.KindOf("/v1/files")
		Expect(known).To(BeFalse())
	})
})

var _ = Describe("A request", func() {
	DescribeTable("is refused", func(kind reply.Kind, body, why string) {
		_, err := reply.Read(kind, []byte(body))
		Expect(err).To(MatchError(ContainSubstring(why)))
	},
		Entry("as no object", reply.Chat, `[]`, "not a request in JSON"),
		Entry("with two documents", reply.Chat, `{"model":"m"} {}`, "not a request in JSON"),
		Entry("with a model of another type", reply.Chat, `{"model":1}`, "not a request in JSON"),
		Entry("with messages that are none", reply.Chat, `{"model":"m","messages":["hi"]}`, "messages: an item is not an object"),
		Entry("with an empty list of messages", reply.Messages, `{"model":"m","messages":[]}`, "messages is required"),
		Entry("with a message of no content", reply.Chat, `{"model":"m","messages":[{"role":"user"}]}`, "content is neither"),
		Entry("with parts that are none", reply.Chat, `{"model":"m","messages":[{"role":"user","content":["hi"]}]}`, "a part of a content"),
		Entry("with a prompt that is no text", reply.Completions, `{"model":"m","prompt":[1]}`, "prompt: an item is not a text"),
		Entry("with no texts", reply.Embeddings, `{"model":"m","input":[]}`, "input is required"),
		Entry("with an input of another type", reply.Responses, `{"model":"m","input":1}`, "input is required"),
		Entry("with dimensions below none", reply.Embeddings, `{"model":"m","input":"a","dimensions":-1}`, "from 0 to 4096"),
	)

	It("counts what to embed", func() {
		r, err := reply.Read(reply.Embeddings, []byte(`{"model":"m","input":["a","b"],"encoding_format":"base64"}`))
		Expect(err).NotTo(HaveOccurred())
		Expect(r).To(Equal(reply.Request{Kind: reply.Embeddings, Model: "m", Prompt: "b", Inputs: 2, Base64: true, Dimensions: 8}))
	})
})
