// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

var _ = Describe("The delivery", func() {
	var f fake
	BeforeEach(func() { f = start(server.Options{}) })

	// took is how long a request takes.
	took := func(body string, header ...string) time.Duration {
		GinkgoHelper()
		begin := time.Now()
		f.ask(reply.Chat, body, header...)
		return time.Since(begin)
	}

	It("waits before the first byte", func() {
		Expect(took(chat, "x-fake-delay", pace.String())).To(BeNumerically(">=", pace))
		Expect(f.last().DurationMillis).To(BeNumerically(">=", pace.Milliseconds()))
	})
	It("waits before each piece", func() {
		Expect(took(chatStream, "x-fake-chunks", "4", "x-fake-gap", (pace / 4).String())).To(BeNumerically(">=", pace))
	})
	It("spreads a stream over a time, ten pieces at least", func() {
		begin := time.Now()
		a := f.ask(reply.Chat, chatStream, "x-fake-duration", (2 * pace).String())
		Expect(time.Since(begin)).To(BeNumerically(">=", 2*pace))
		Expect(datas(a.Body)).To(HaveLen(1 + 10 + 1))
	})
	It("stops between headers and pieces, once", func() {
		const stall = 8 * pace
		begin := time.Now()
		resp := f.open(http1, reply.Completions, `{"model":"gpt-4o-mini","prompt":"hi","stream":true}`,
			"x-fake-stall", stall.String(), "x-fake-stall-after", "0", "x-fake-chunks", "3")
		Expect(time.Since(begin)).To(BeNumerically("<", stall), "headers come before")
		_, err := io.ReadAll(resp.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(time.Since(begin)).To(And(BeNumerically(">=", stall), BeNumerically("<", 2*stall)))
	})
	It("stops in the middle of a document", func() {
		Expect(took(chat, "x-fake-stall", pace.String())).To(BeNumerically(">=", pace))
	})

	DescribeTable("never answers when it is to be silent, by", func(way string) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan answer, 1)
		go func() {
			defer GinkgoRecover()
			done <- f.do(call{ctx: ctx, way: way, method: "POST", path: "/v1/chat/completions", body: chat, header: []string{"x-fake-silent", "true"}})
		}()
		Eventually(func(g Gomega) {
			g.Expect(f.Ledger.List(ledger.Filter{Outcome: ledger.Open}).Entries).To(HaveLen(1))
		}).Should(Succeed())
		Consistently(done, quietTime).ShouldNot(Receive())
		cancel()
		var a answer
		Eventually(done).Should(Receive(&a))
		Expect(a.Err).To(MatchError(context.Canceled))
		Eventually(f.last).Should(And(HaveField("Outcome", ledger.ClientGone), HaveField("Status", 0)))
	}, everyWay)

	DescribeTable("cuts", func(way, where, body string, status, part OmegaMatcher) {
		a := f.do(call{way: way, method: "POST", path: "/v1/chat/completions", body: body, header: []string{"x-fake-cut", where}})
		Expect(a.Err).To(HaveOccurred())
		Expect(a.Status).To(status)
		Expect(a.Body).To(part)
		Expect(a.Body).NotTo(Or(ContainSubstring("[DONE]"), HaveSuffix("}")))
		entry := f.last()
		Expect(entry.Outcome).To(Equal(ledger.Cut))
		Expect(entry.UsageSent).To(BeFalse())
	}, cuts())

	It("cuts a stream after half of its pieces", func() {
		a := f.do(call{method: "POST", path: "/v1/chat/completions", body: chatStream, header: []string{"x-fake-cut", "half", "x-fake-chunks", "8"}})
		Expect(events(a.Body)).To(HaveLen(1 + 4))
		Expect(f.last().Chunks).To(Equal(5))
	})
	It("cuts after exactly so many bytes", func() {
		for _, body := range []string{chat, chatStream} {
			a := f.do(call{method: "POST", path: "/v1/chat/completions", body: body, header: []string{"x-fake-cut", "77"}})
			Expect(a.Body).To(HaveLen(77))
		}
	})
	It("knows that the usage was out when it cuts behind it", func() {
		whole := f.ask(reply.Chat, chatUsage, "x-fake-content", "x", "x-fake-usage", "1,1").Body
		toUsage := strings.Index(whole, "data: [DONE]")
		a := f.do(call{method: "POST", path: "/v1/chat/completions", body: chatUsage, header: []string{
			"x-fake-content", "x", "x-fake-usage", "1,1", "x-fake-cut", fmt.Sprint(toUsage + 5),
		}})
		Expect(a.Err).To(HaveOccurred())
		Expect(a.Body).To(HaveSuffix("data:"))
		Expect(f.last()).To(And(HaveField("Outcome", ledger.Cut), HaveField("UsageSent", true)))
		f.do(call{method: "POST", path: "/v1/chat/completions", body: chatUsage, header: []string{
			"x-fake-content", "x", "x-fake-usage", "1,1", "x-fake-cut", fmt.Sprint(toUsage - 5),
		}})
		Expect(f.last()).To(And(HaveField("Outcome", ledger.Cut), HaveField("UsageSent", false)))
	})

	DescribeTable("notices a client that hangs up during a stream, by", func(way string) {
		resp := f.open(way, reply.Chat, chatUsage, "x-fake-gap", "1m")
		_, err := resp.Body.Read(make([]byte, 1))
		Expect(err).NotTo(HaveOccurred())
		Expect(resp.Body.Close()).To(Succeed())
		Eventually(f.last).Should(And(HaveField("Outcome", ledger.ClientGone), HaveField("UsageSent", false), HaveField("Usage", Not(BeNil()))))
	}, everyWay)

	It("notices a client that hangs up during its request", func() {
		u := f.upload()
		Expect(u.writer.CloseWithError(context.Canceled)).To(Succeed())
		Expect((<-u.done).Err).To(HaveOccurred())
		Eventually(f.last).Should(And(HaveField("Outcome", ledger.ClientGone), HaveField("BodyBytes", int64(20)), HaveField("BodySHA256", "")))
	})

	It("writes in pieces, with pauses, and the same bytes", func() {
		begin := time.Now()
		a := f.ask(reply.Chat, chat, "x-fake-split", "100", "x-fake-split-gap", (pace / 4).String())
		Expect(time.Since(begin)).To(BeNumerically(">=", pace))
		Expect(a.Header).NotTo(HaveKey("Content-Length"))
		Expect(at(parsed(a.Body), "object")).To(Equal("chat.completion"))
		Expect(len(datas(f.ask(reply.Chat, chatStream, "x-fake-split", "1").Body))).To(BeNumerically(">", 3))
	})

	It("makes pieces of a length and number", func() {
		chunks := datas(f.ask(reply.Chat, chatStream, "x-fake-chunks", "2", "x-fake-chunk-size", "100000").Body)
		Expect(chunks).To(HaveLen(1 + 2 + 1))
		for _, chunk := range chunks[1:3] {
			Expect(at(chunk, "choices", 0, "delta", "content")).To(HaveLen(100000 + strings.Count(streamed([]object{chunk}), "\u2713")*2))
		}
	})

	It("ends lines as wished", func() {
		for eol, end := range map[string]string{"lf": "\n", "crlf": "\r\n", "cr": "\r"} {
			body := f.ask(reply.Chat, chatStream, "x-fake-eol", eol).Body
			Expect(body).To(HaveSuffix("data: [DONE]" + end + end))
			Expect(strings.ReplaceAll(body, end, "")).NotTo(MatchRegexp(`[\r\n]`))
		}
	})
	It("puts comments between events", func() {
		body := f.ask(reply.Chat, chatStream, "x-fake-comments", "true", "x-fake-chunks", "1").Body
		Expect(strings.Count(body, ": tarsfake is processing\n\n")).To(Equal(1 + 1 + 1 + 1))
	})
	It("answers as another model, with another text", func() {
		document := parsed(f.ask(reply.Chat, chat, "x-fake-model", "gpt-4o-mini-2024-07-18", "x-fake-content", `{"usage":{"total_tokens":1}}`).Body)
		Expect(at(document, "model")).To(Equal("gpt-4o-mini-2024-07-18"))
		Expect(at(document, "choices", 0, "message", "content")).To(Equal(`{"usage":{"total_tokens":1}}`))
		Expect(f.last().ModelAsked).To(Equal("gpt-4o-mini"))
		Expect(f.last().ModelAnswered).To(Equal("gpt-4o-mini-2024-07-18"))
	})

	Describe("compressed", func() {
		DescribeTable("happens for", func(encoding, accept string, compressed bool) {
			for _, body := range []string{chat, chatUsage} {
				a := f.ask(reply.Chat, body, "x-fake-encoding", encoding, "accept-encoding", accept)
				if !compressed {
					Expect(a.Header).NotTo(HaveKey("Content-Encoding"))
					Expect(a.Body).To(ContainSubstring("usage"))
					continue
				}
				Expect(a.Header.Get("content-encoding")).To(Equal("gzip"))
				reader, err := gzip.NewReader(strings.NewReader(a.Body))
				Expect(err).NotTo(HaveOccurred())
				plain, err := io.ReadAll(reader)
				Expect(err).NotTo(HaveOccurred())
				Expect(string(plain)).To(ContainSubstring("usage"))
			}
		},
			Entry("a client that takes it", "gzip", "br, gzip", true),
			Entry("a client that takes anything", "gzip", "*;q=0.5", true),
			Entry("nobody else", "gzip", "identity", false),
			Entry("nobody who refuses it", "gzip", "gzip; q=0, br", false),
			Entry("anybody, if it has to", "gzip-always", "identity", true),
		)
	})
})

// cuts are all ways, places and kinds of answers.
func cuts() []TableEntry {
	var all []TableEntry
	for _, way := range []string{http1, http1s, http2s, http2c} {
		for name, body := range map[string]string{"a document": chat, "a stream": chatUsage} {
			all = append(all,
				Entry(name+" before its headers, by "+way, way, "before-headers", body, BeZero(), BeEmpty()),
				Entry(name+" before its body, by "+way, way, "0", body, Equal(http.StatusOK), BeEmpty()),
				Entry(name+" after some bytes, by "+way, way, "50", body, Equal(http.StatusOK), HaveLen(50)),
				Entry(name+" in its middle, by "+way, way, "half", body, Equal(http.StatusOK), Not(BeEmpty())),
			)
		}
	}
	return all
}
