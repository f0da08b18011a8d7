// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"strings"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/protobuf/proto"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/server"
	"github.com/tars-operator/tars-operator/extproc/transport"
)

var _ = Describe("A large body", func() {
	const size = 20 << 20
	padding := `{"messages":[{"role":"user","content":"` + strings.Repeat("x", size) + `"}]`
	largeBench := func() *bench {
		return newBench(func(r *config.Route) { restricted(r); r.MaxRequestBytes = size + 2<<20 },
			func(o *server.Options) { o.Budget = memory.NewBudget(size + 4<<20) })
	}
	send := func(body string) []*extprocv3.ProcessingResponse {
		GinkgoHelper()
		messages := []*extprocv3.ProcessingRequest{post(chatPath)}
		for len(body) > 50_000 {
			messages, body = append(messages, requestBody(body[:50_000], false)), body[50_000:]
		}
		return largeBench().play(append(messages, requestBody(body, true))...)
	}

	It("may name its model at its end", func() {
		sent, ends := sentBody(send(padding + `,"model":"fast"}`))
		Expect(ends).To(Equal(1))
		Expect(same(sent, padding+`,"model":"xai/grok-4.5"}`)).To(BeTrue())
	})

	DescribeTable("never goes on whole when its end tells otherwise than its beginning",
		func(end, status, code string) {
			replies := send(strings.Replace(padding, "{", `{"model":"claude-1",`, 1) + end)
			_, ends := sentBody(replies)
			Expect(ends).To(BeZero())
			Expect(describe(replies[len(replies)-1])).To(MatchRegexp(refusal(status, code)))
		},
		Entry("another model", `,"model":"gpt-5"}`, "400", "duplicate_parameter"),
		Entry("another model, escaped", `,"\u006dodel":"gpt-5"}`, "400", "duplicate_parameter"),
		Entry("another model in another case", `,"Model":"gpt-5"}`, "400", "duplicate_parameter"),
		Entry("another document", `}{"model":"gpt-5"}`, "400", "invalid_json"),
		Entry("no end", ``, "400", "invalid_json"),
		Entry("a name of 1 MB", `,"y":"`+strings.Repeat("y", 1<<20)+`","`+strings.Repeat("model", 200_000)+`":1,"model":"gpt-5"}`, "400", "duplicate_parameter"),
	)

	DescribeTable("goes on whole, whatever pieces it comes in",
		func(piece int, model, sentModel string) {
			for _, place := range []string{`{"model":%q,"messages":"%s"}`, `{"messages":"%[2]s","model":%[1]q}`, "{\"model\":%q,\n\"messages\":[\"%[2]s\"]}\n\n"} {
				text := &strings.Builder{}
				for n := range 40_000 {
					fmt.Fprintf(text, "%d ", n)
				}
				rest := fmt.Sprintf(place, model, text)
				messages := []*extprocv3.ProcessingRequest{post(chatPath)}
				for ; len(rest) > piece; rest = rest[piece:] {
					messages = append(messages, requestBody(rest[:piece], false))
				}
				b := newBench(func(r *config.Route) { restricted(r); r.MaxRequestBytes = size })
				// Twice, as memory is used again.
				for range 2 {
					sent, ends := sentBody(b.play(append(messages, requestBody(rest, true))...))
					Expect(ends).To(Equal(1))
					Expect(same(sent, fmt.Sprintf(place, sentModel, text))).To(BeTrue(), place)
				}
			}
		},
		Entry("as Envoy sends it", 32<<10, "claude-1", "claude-1"),
		Entry("as Envoy sends it, and changed", 32<<10, "fast", "xai/grok-4.5"),
		Entry("small", 5_000, "fast", "xai/grok-4.5"),
		Entry("that fit into no piece", 150_000, "fast", "xai/grok-4.5"),
	)

	It("waits in the budget while Envoy has no room for it", func() {
		b := newBench(func(r *config.Route) { restricted(r); r.MaxRequestBytes = size })
		body := strings.Replace(strings.Repeat(" ", 150_000)+`{"model":"fast","messages":[]}`+strings.Repeat(" ", 150_000), " ", "\n", 1)
		s := &stream{full: 2}
		handler := b.Open(s)
		for _, m := range []*extprocv3.ProcessingRequest{post(chatPath), requestBody(body[:100_000], false), requestBody(body[100_000:], true)} {
			text, err := proto.Marshal(m)
			Expect(err).NotTo(HaveOccurred())
			Expect(deliver(handler, text)).To(Succeed())
		}
		Expect(s.replies).To(HaveLen(2), "the headers, and a piece")
		for held, n := b.budget.Held(), 2; s.full < 100; n = len(s.replies) {
			Expect(b.budget.Held()).To(BeNumerically("<=", held), "after %d replies", n)
			held = b.budget.Held()
			_, ends := sentBody(s.replies)
			if ends > 0 {
				break
			}
			Expect(held).To(BeNumerically(">", 0))
			s.full++
			Expect(handler.Sent()).To(Succeed())
			Expect(s.replies).To(HaveLen(n+1), "no more than there is room for")
		}
		sent, ends := sentBody(s.replies)
		Expect(ends).To(Equal(1))
		Expect(same(sent, strings.Replace(body, "fast", "xai/grok-4.5", 1))).To(BeTrue())
		Expect(b.budget.Held()).To(BeEquivalentTo(perRequest))
		Expect(handler.Sent()).To(Succeed())
		handler.Close()
	})

	// early is a request of which half is sent when its answer begins.
	early := func(b *bench, s *stream, answer ...*extprocv3.ProcessingRequest) transport.Handler {
		GinkgoHelper()
		handler := b.Open(s)
		for _, m := range append([]*extprocv3.ProcessingRequest{
			post(chatPath), requestBody(`{"model":"gpt","x":"`+strings.Repeat("x", 190_000)+`"}`, true)}, answer...) {
			text, err := proto.Marshal(m)
			Expect(err).NotTo(HaveOccurred())
			Expect(deliver(handler, text)).To(Succeed())
		}
		return handler
	}

	It("is sent to its end beside an answer that comes early", func() {
		b, s := newBench(nil), &stream{full: 3}
		handler := early(b, s, responseHeaders(200, false, "content-type", jsonType), responseBody(chatAnswer[:20], false))
		_, ends := sentBody(s.replies)
		Expect(ends).To(BeZero())
		s.full = 0
		Expect(handler.Sent()).To(Succeed())
		sent, ends := sentBody(s.replies)
		Expect(ends).To(Equal(1))
		Expect(sent).To(HaveLen(190_000 + len(`{"model":"gpt","x":""}`)))
		text, err := proto.Marshal(responseBody(chatAnswer[20:], true))
		Expect(err).NotTo(HaveOccurred())
		Expect(deliver(handler, text)).To(Succeed())
		handler.Close()
		Expect(b.settled().told).To(Equal(1))
		Expect(b.budget.Held()).To(BeZero())
	})

	It("is charged for what TARS wrote before it had all of it", func() {
		b, s := newBench(nil), &stream{full: 3}
		early(b, s, responseHeaders(200, false, "content-type", streamType),
			responseBody("data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n", false)).Close()
		Expect(b.settled().missing).To(Equal(1))
	})

	DescribeTable("is not sent on where nobody reads it any more",
		func(answer *extprocv3.ProcessingRequest) {
			b, s := newBench(nil), &stream{full: 3}
			handler := early(b, s, answer)
			Expect(b.budget.Held()).To(BeEquivalentTo(perRequest))
			s.full = 0
			Expect(handler.Sent()).To(Succeed())
			_, ends := sentBody(s.replies)
			Expect(ends).To(BeZero())
			handler.Close()
			Expect(b.settled()).To(Equal(bill{free: 1}))
		},
		Entry("TARS refuses", responseHeaders(400, true, "content-type", jsonType)),
		Entry("the gateway answers", withAttributes(bareResponseHeaders(302, true), "response.code_details", "direct_response")),
	)

	It("gives its memory back when it is cut while it waits", func() {
		b := newBench(func(r *config.Route) { r.MaxRequestBytes = size })
		s := &stream{full: 2}
		Expect(b.serve(s, post(chatPath), requestBody(`{"model":"gpt"}`+strings.Repeat(" ", 200_000), true))).To(Succeed())
		Expect(s.replies).To(HaveLen(2))
		Expect(b.budget.Held()).To(BeZero())
		Expect(b.settled()).To(Equal(bill{free: 1}), "TARS has not had all of it")
	})

	It("is refused for a model of 1 MB", func() {
		Expect(describe(send(`{"model":"claude-` + strings.Repeat("x", 1<<20) + `"}`)[0])).To(MatchRegexp(refusal("400", "invalid_model")))
	})
})
