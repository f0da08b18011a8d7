// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

var _ = Describe("The ledger", func() {
	var f fake
	BeforeEach(func() { f = start(server.Options{LedgerSize: 5}) })

	It("tells all of a request", func() {
		before := time.Now()
		a := f.do(call{way: http2s, method: "POST", path: "/v1/chat/completions?a=b", body: chatUsage, header: []string{
			"x-request-id", "r-9", "cookie", "secret-cookie", "x-fake-model", "gpt-other", "x-forwarded-for", "10.0.0.1",
		}})
		Expect(a.Err).NotTo(HaveOccurred())
		page := f.ledgerPage(url.Values{"request_id": {"r-9"}})
		Expect(page.Entries).To(HaveLen(1))
		entry := page.Entries[0]
		Expect(entry.ID).To(BeNumerically("==", 1))
		Expect(entry.Time).To(BeTemporally("~", before, settleTimeout))
		Expect(entry.Key).To(Equal(keys.Fingerprint(keys.DemoKey)))
		Expect(entry.KeyFrom).To(Equal("authorization"))
		Expect(entry.KeyKnown).To(BeTrue())
		Expect(entry.Method + " " + entry.Path + " " + entry.Query).To(Equal("POST /v1/chat/completions a=b"))
		Expect(entry.Host).To(HavePrefix("127.0.0.1:"))
		Expect(entry.TLS).To(BeTrue())
		Expect(entry.ServerName).To(Equal("api.router.tetrate.ai"))
		Expect(entry.Remote).To(Equal("127.0.0.1"))
		Expect(entry.HeaderNames).To(ContainElements("authorization", "cookie", "host", "x-fake-model", "x-request-id"))
		Expect(entry.Headers).To(And(
			HaveKeyWithValue("x-request-id", "r-9"), HaveKeyWithValue("x-fake-model", "gpt-other"),
			HaveKeyWithValue("x-forwarded-for", "10.0.0.1"), HaveKeyWithValue("host", entry.Host),
			Not(HaveKey("authorization")), Not(HaveKey("cookie"))))
		Expect(entry.BodyBytes).To(BeNumerically("==", len(chatUsage)))
		Expect(entry.BodySHA256).To(Equal(reply.Digest([]byte(chatUsage))))
		Expect(entry.PromptSHA256).To(Equal(digestOfHi))
		Expect(entry.ModelAsked).To(Equal("gpt-4o-mini"))
		Expect(entry.ModelAnswered).To(Equal("gpt-other"))
		Expect(entry.Behaviour).To(Equal(map[string]string{"model": "gpt-other"}))
		Expect(entry.Status).To(Equal(200))
		Expect(entry.Outcome).To(Equal(ledger.Complete))
	})

	It("never tells a key, not even on demand", func() {
		const secret = "sk-very-secret"
		f.ask(reply.Chat, chat, bearer, "Bearer "+secret)
		f.do(call{method: "POST", path: "/v1/messages", body: chat, header: []string{bearer, "", "x-api-key", secret, "x-tars-api-key", secret}})
		Expect(f.admin("POST", "/keys", `{"key":"`+secret+`"}`).Body).NotTo(ContainSubstring(secret))
		for _, path := range []string{"/ledger", "/ledger/summary", "/keys", "/behaviour"} {
			Expect(f.admin("GET", path, "").Body).NotTo(Or(ContainSubstring(secret), ContainSubstring(keys.DemoKey)), path)
		}
	})

	It("knows a chunked body from one of a length", func() {
		client, base := f.client(http1)
		req, err := http.NewRequest("POST", base+"/v1/chat/completions", struct{ *strings.Reader }{strings.NewReader(chat)})
		Expect(err).NotTo(HaveOccurred())
		req.Header.Set(bearer, demoKey)
		resp, err := client.Do(req)
		Expect(err).NotTo(HaveOccurred())
		Expect(resp.Body.Close()).To(Succeed())
		Expect(f.last().Headers).To(HaveKeyWithValue("transfer-encoding", "chunked"))
		Expect(f.last().BodySHA256).To(Equal(reply.Digest([]byte(chat))))
	})

	It("keeps little of headers without end", func() {
		header := []string{"x-request-id", strings.Repeat("r", 5000)}
		for i := range 300 {
			header = append(header, fmt.Sprintf("x-fake-%d", i), "1")
		}
		f.get("/v1/"+strings.Repeat("p", 5000), header...)
		entry := f.last()
		Expect(entry.RequestID).To(HaveLen(256))
		Expect(entry.Path).To(HaveLen(256))
		Expect(entry.HeaderNames).To(HaveLen(200))
		Expect(len(entry.Headers)).To(BeNumerically("<=", 200))
		Expect(entry.Behaviour).To(HaveLen(200))
	})

	It("picks by id, request id, path, key, outcome and age", func() {
		f.get("/v1/models", "x-request-id", "a")
		f.get("/v1/models", "x-request-id", "b", bearer, "Bearer other")
		f.do(call{method: "GET", path: "/", header: []string{"x-request-id", "c", "x-fake-cut", "before-headers", bearer, ""}})
		for query, want := range map[string][]string{
			"":                                      {"a", "b", "c"},
			"id=2":                                  {"b"},
			"request_id=c":                          {"c"},
			"path=/v1/models":                       {"a", "b"},
			"key=" + keys.Fingerprint(keys.DemoKey): {"a"},
			"outcome=cut":                           {"c"},
			"last=2":                                {"b", "c"},
			"path=/v1/models&last=1":                {"b"},
			"request_id=a&path=/":                   {},
			"path=/v1/models&outcome=complete&last=9": {"a", "b"},
		} {
			values, err := url.ParseQuery(query)
			Expect(err).NotTo(HaveOccurred())
			ids := []string{}
			for _, entry := range f.ledgerPage(values).Entries {
				ids = append(ids, entry.RequestID)
			}
			Expect(ids).To(Equal(want), query)
		}
	})

	DescribeTable("refuses a query that it does not know", func(query, why string) {
		a := f.admin("GET", "/ledger?"+query, "")
		Expect(a.Status).To(Equal(http.StatusBadRequest))
		Expect(at(parsed(a.Body), "error")).To(ContainSubstring(why))
	},
		Entry(nil, "requestid=a", "known are id, request_id"),
		Entry(nil, "id=x", `query "id"`),
		Entry(nil, "last=x", `query "last"`),
	)

	It("sums what was answered and what was sent, also of requests that it dropped", func() {
		var answered, sent int64
		for i := range 8 {
			body := chatUsage
			if i%2 == 0 {
				body = chatStream
			}
			f.ask(reply.Chat, body)
			total := f.last().Usage.Total()
			answered += total
			if i%2 != 0 {
				sent += total
			}
		}
		var sums ledger.Summary
		Expect(json.Unmarshal([]byte(f.admin("GET", "/ledger/summary", "").Body), &sums)).To(Succeed())
		Expect(sums.Requests).To(BeNumerically("==", 8))
		Expect(sums.Answered.Total()).To(Equal(answered))
		Expect(sums.Sent.Total()).To(Equal(sent))
		Expect(f.ledgerPage(nil)).To(And(HaveField("Entries", HaveLen(5)), HaveField("Dropped", int64(3))))

		Expect(f.admin("DELETE", "/ledger", "").Status).To(Equal(http.StatusNoContent))
		Expect(f.ledgerPage(nil)).To(And(HaveField("Entries", BeEmpty()), HaveField("Dropped", int64(0))))
		Expect(f.admin("GET", "/ledger/summary", "").Body).To(ContainSubstring(`"requests":0`))
		f.get("/")
		Expect(f.last().ID).To(BeNumerically("==", 9), "ids are never used twice")
	})
})
