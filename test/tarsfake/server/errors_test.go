// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

const messagesStream = `{"model":"claude-haiku-4-5","stream":true,"messages":[{"role":"user","content":"hi"}]}`

var _ = Describe("An error on demand", func() {
	var f fake
	BeforeEach(func() { f = start(server.Options{}) })

	DescribeTable("is the whole answer, stream or not:", func(name string, status int, retryAfter, body string) {
		for _, request := range []string{chat, chatStream} {
			a := f.ask(reply.Chat, request, "x-fake-error", name)
			Expect(a.Status).To(Equal(status))
			Expect(a.Header.Get("content-type")).To(Equal("application/json"))
			Expect(a.Header.Get("retry-after")).To(Equal(retryAfter))
			Expect(a.Body).To(Equal(body))
			entry := f.last()
			Expect(entry.Status).To(Equal(status))
			Expect(entry.Usage).To(BeNil())
			Expect(entry.UsageSent).To(BeFalse())
			Expect(entry.Outcome).To(Equal(ledger.Complete))
		}
	},
		Entry(nil, "400", 400, "", `{"error":{"code":400,"message":"Invalid request"}}`),
		Entry(nil, "401", 401, "", `{"error":{"code":401,"message":"Invalid API key"}}`),
		Entry(nil, "402", 402, "", `{"error":{"code":402,"message":"Insufficient credits"}}`),
		Entry(nil, "403", 403, "", `{"error":{"code":403,"message":"Forbidden"}}`),
		Entry(nil, "404", 404, "", `{"error":{"code":404,"message":"Model not found"}}`),
		Entry(nil, "413", 413, "", `{"error":{"code":413,"message":"Request too large"}}`),
		Entry(nil, "429", 429, "7", `{"error":{"code":429,"message":"Rate limit exceeded"}}`),
		Entry(nil, "500", 500, "", `{"error":{"code":500,"message":"Internal error"}}`),
		Entry(nil, "503", 503, "", `{"error":{"code":503,"message":"Service unavailable"}}`),
		Entry(nil, "inside-200", 200, "", `{"error":{"code":402,"message":"Insufficient credits"}}`),
		Entry(nil, "model_not_ready", 503, "3",
			`{"error":{"code":"model_not_ready","message":"The model is not active yet for this key"}}`),
	)

	It("comes on every path, before the key is looked at", func() {
		for _, path := range []string{"/", "/v1/models", "/v1/models/gpt-4o-mini", "/v1/unknown"} {
			Expect(f.get(path, "x-fake-error", "503", bearer, "").Status).To(Equal(503), path)
		}
	})

	It("is a proxy's page", func() {
		a := f.ask(reply.Chat, chat, "x-fake-error", "html")
		Expect(a.Status).To(Equal(http.StatusBadGateway))
		Expect(a.Header.Get("content-type")).To(Equal("text/html"))
		Expect(a.Body).To(HavePrefix("<html>"))
	})

	It("has Anthropic's shape on /v1/messages", func() {
		a := f.ask(reply.Messages, messagesStream, "x-fake-error", "429")
		Expect(a.Status).To(Equal(http.StatusTooManyRequests))
		Expect(parsed(a.Body)).To(Equal(object{
			"type": "error", "error": object{"type": "rate_limit_error", "message": "Rate limit exceeded"},
		}))
	})

	It("takes another status, retry-after, body and media type", func() {
		a := f.ask(reply.Chat, chat, "x-fake-error", "model_not_ready", "x-fake-status", "425", "x-fake-retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")
		Expect(a.Status).To(Equal(425))
		Expect(a.Header.Values("retry-after")).To(Equal([]string{"Wed, 21 Oct 2026 07:28:00 GMT"}))
		a = f.ask(reply.Chat, chat, "x-fake-error", "429", "x-fake-retry-after", "none", "x-fake-body", `{"detail":"slow down"}`, "x-fake-content-type", "application/problem+json")
		Expect(a.Header).NotTo(HaveKey("Retry-After"))
		Expect(a.Header.Get("content-type")).To(Equal("application/problem+json"))
		Expect(a.Body).To(Equal(`{"detail":"slow down"}`))
	})

	It("is no error but a status, header and body of choice", func() {
		a := f.ask(reply.Chat, chat, "x-fake-status", "203", "x-fake-retry-after", "1", "x-fake-body", "{}")
		Expect(a.Status).To(Equal(203))
		Expect(f.last().Status).To(Equal(203))
		Expect(a.Header.Get("retry-after")).To(Equal("1"))
		Expect(a.Body).To(Equal("{}"))
		Expect(f.last().UsageSent).To(BeFalse())
		a = f.ask(reply.Chat, chatStream, "x-fake-body", "data: x")
		Expect(a.Header.Get("content-type")).To(Equal("text/event-stream"))
		Expect(a.Body).To(Equal("data: x"))
	})

	Describe("in the middle of a stream", func() {
		It("is a last chunk after two pieces", func() {
			a := f.ask(reply.Chat, chatUsage, "x-fake-error", "mid-stream")
			Expect(a.Status).To(Equal(http.StatusOK))
			Expect(a.Header.Get("content-type")).To(Equal("text/event-stream"))
			all := events(a.Body)
			Expect(all).To(HaveLen(1 + 2 + 1))
			Expect(all[3].data).To(Equal(`{"error":{"code":502,"message":"Provider disconnected"}}`))
			entry := f.last()
			Expect(entry.Outcome).To(Equal(ledger.Complete))
			Expect(entry.Usage).NotTo(BeNil())
			Expect(entry.UsageSent).To(BeFalse())
		})
		DescribeTable("comes after as many pieces as wished:", func(after string, before int) {
			all := events(f.ask(reply.Chat, chatStream, "x-fake-error", "429", "x-fake-error-after", after, "x-fake-chunks", "4").Body)
			Expect(all).To(HaveLen(before + 1))
			Expect(all[before].data).To(ContainSubstring(`"code":429`))
		},
			Entry("none", "0", 0),
			Entry("one", "1", 2),
			Entry("all", "4", 5),
			Entry("more than there are", "99", 5),
		)
		It("is an event named error on /v1/messages", func() {
			all := events(f.ask(reply.Messages, messagesStream, "x-fake-error", "503", "x-fake-error-after", "1").Body)
			final := all[len(all)-1]
			Expect(final.name).To(Equal("error"))
			Expect(at(parsed(final.data), "error", "type")).To(Equal("overloaded_error"))
		})
		It("takes another body, one line of data for each of its lines", func() {
			f.wish(`{"set":{"error":"mid-stream","body":"{\"a\":\n1}"}}`)
			Expect(f.ask(reply.Chat, chatStream).Body).To(HaveSuffix("data: {\"a\":\ndata: 1}\n\n"))
		})
		It("ends a compressed stream in order", func() {
			a := f.ask(reply.Chat, chatStream, "x-fake-error", "mid-stream", "x-fake-encoding", "gzip-always")
			reader, err := gzip.NewReader(strings.NewReader(a.Body))
			Expect(err).NotTo(HaveOccurred())
			plain, err := io.ReadAll(reader)
			Expect(err).NotTo(HaveOccurred())
			Expect(string(plain)).To(HaveSuffix("Provider disconnected\"}}\n\n"))
		})
		It("is an error inside a 200 where there is no stream", func() {
			a := f.ask(reply.Chat, chat, "x-fake-error", "mid-stream")
			Expect(a.Status).To(Equal(http.StatusOK))
			Expect(a.Body).To(Equal(`{"error":{"code":502,"message":"Provider disconnected"}}`))
		})
	})
})

var _ = Describe("A wish that cannot be granted", func() {
	DescribeTable("is answered with 400:", func(name, value, why string) {
		f := start(server.Options{})
		a := f.ask(reply.Chat, chat, "x-fake-"+name, value)
		Expect(a.Status).To(Equal(http.StatusBadRequest))
		Expect(at(parsed(a.Body), "error", "message")).To(And(HavePrefix("x-fake-"+name), ContainSubstring(why)))
	},
		Entry(nil, "eror", "429", "is not a setting; known are anthropic-usage, body,"),
		Entry(nil, "error", "429x", "is not an error; known are 400, 401,"),
		Entry(nil, "chunks", "-1", "is not a number from 0"),
	)
})
