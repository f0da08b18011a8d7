// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
)

const (
	chat         = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}`
	chatStream   = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}],"stream":true}`
	chatUsage    = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}],"stream":true,"stream_options":{"include_usage":true}}`
	legacyStream = `{"model":"gpt-4o-mini","prompt":"hello","stream":true}`
	input        = `{"model":"gpt-4o-mini","input":"hello"}`
	inputStream  = `{"model":"gpt-4o-mini","input":"hello","stream":true}`
	message      = `{"model":"gpt-4o-mini","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}`
	messages     = `{"model":"gpt-4o-mini","max_tokens":9,"messages":[{"role":"user","content":"hello"}],"stream":true}`
)

// entry is the stand-in's record of a request.
func entry(id string) ledger.Entry {
	GinkgoHelper()
	page := world.fake.Ledger.List(ledger.Filter{RequestID: id})
	Expect(page.Entries).To(HaveLen(1))
	return page.Entries[0]
}

// sum adds up one metric of the route to the stand-in.
func sum(prefix, label string) float64 {
	GinkgoHelper()
	total := 0.0
	for _, line := range world.main.metrics(prefix) {
		if !strings.Contains(line, `tarsbackend="default/fake"`) || !strings.Contains(line, label) {
			continue
		}
		value, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
		Expect(err).NotTo(HaveOccurred())
		total += value
	}
	return total
}

var _ = Describe("Usage", Ordered, func() {
	It("is the stand-in's ledger in the access log, request by request, and in the metrics, in sum", func() {
		missing := sum("tars_usage_missing_total", "")
		before := [2]float64{sum("gen_ai_client_token_usage_sum", `type="input"`), sum("gen_ai_client_token_usage_sum", `type="output"`)}
		var in, out int64
		for _, c := range []struct{ path, body string }{
			{"/v1/chat/completions", chat}, {"/v1/chat/completions", chatStream}, {"/v1/chat/completions", chatUsage},
			{"/v1/completions", legacyStream}, {"/v1/embeddings", input}, {"/v1/responses", input}, {"/v1/responses", inputStream},
			{"/v1/messages", message}, {"/v1/messages", messages},
		} {
			for _, headers := range [][]string{
				nil, {"x-fake-split", "1", "x-fake-chunks", "2"}, {"x-fake-eol", "crlf", "x-fake-comments", "true"},
				{"x-fake-usage-null", "true"}, {"x-fake-model", "gpt-4o-mini-2024-07-18"},
			} {
				id := newID()
				r := post("/fake"+c.path, id, c.body, headers...)
				Expect(r.status).To(Equal(http.StatusOK), r.body)
				e := entry(id)
				Expect(e.UsageSent).To(BeTrue(), "%s %v", c.path, headers)
				told := world.envoy.line(id).Tars
				Expect(told).To(And(
					HaveKeyWithValue("input_tokens", float64(e.Usage.Input)), HaveKeyWithValue("output_tokens", float64(e.Usage.Output)),
					HaveKeyWithValue("total_tokens", float64(e.Usage.Total())), HaveKeyWithValue("cached_input_tokens", float64(e.Usage.CachedInput)),
					HaveKeyWithValue("cache_creation_input_tokens", float64(e.Usage.CacheCreation)),
					HaveKeyWithValue("reasoning_tokens", float64(e.Usage.Reasoning)), HaveKeyWithValue("response_model", e.ModelAnswered),
				), "%s %s %v", c.path, c.body, headers)
				in, out = in+e.Usage.Input, out+e.Usage.Output
			}
		}
		Eventually(func() [2]float64 {
			return [2]float64{sum("gen_ai_client_token_usage_sum", `type="input"`), sum("gen_ai_client_token_usage_sum", `type="output"`)}
		}).WithTimeout(stepTimeout).WithPolling(poll).Should(Equal([2]float64{before[0] + float64(in), before[1] + float64(out)}))
		Expect(sum("tars_usage_missing_total", "")).To(Equal(missing))
	})

	It("is not in a stream that was not asked for it", func() {
		usage := regexp.MustCompile(`"usage":\s*\{`)
		Expect(usage.FindAllString(post("/fake"+chatPath, newID(), chatUsage).body, -1)).To(HaveLen(1))
		plain := post("/fake"+chatPath, newID(), chatStream).body
		Expect(usage.FindAllString(plain, -1)).To(BeEmpty())
		Expect(plain).To(HaveSuffix("data: [DONE]\n\n"))
	})

	It("that TARS does not tell is counted as missing", func() {
		missing := sum("tars_usage_missing_total", "")
		Expect(post("/fake"+chatPath, newID(), chat, "x-fake-usage", "absent").status).To(Equal(http.StatusOK))
		Expect(post("/fake"+chatPath, newID(), chat, "x-fake-usage", "null").status).To(Equal(http.StatusOK))
		Eventually(func() float64 { return sum("tars_usage_missing_total", "") }).WithTimeout(stepTimeout).WithPolling(poll).Should(Equal(missing + 2))
	})
})

// direct asks the stand-in without the gateway.
func direct(path, body, failure string) reply {
	GinkgoHelper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, world.fake.URL()+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	for key, value := range map[string]string{"authorization": credential, "content-type": "application/json", "x-fake-error": failure} {
		req.Header.Set(key, value)
	}
	return send(req)
}

var _ = Describe("Every error of the stand-in", func() {
	for _, c := range []struct{ path, body string }{
		{chatPath, chat}, {chatPath, chatUsage}, {"/v1/messages", message}, {"/v1/messages", messages},
		{"/v1/responses", input}, {"/v1/embeddings", input}, {"/v1/completions", legacyStream},
	} {
		for _, name := range behaviour.ErrorNames() {
			It(fmt.Sprintf("%s arrives from %s as it was sent, stream %v", name, c.path, strings.Contains(c.body, `"stream"`)), func() {
				want := direct(c.path, c.body, name)
				id := newID()
				r := post("/fake"+c.path, id, c.body, "x-fake-error", name)
				Expect(r.status).To(Equal(want.status))
				Expect(r.header.Get("content-type")).To(Equal(want.header.Get("content-type")))
				Expect(r.header.Get("retry-after")).To(Equal(want.header.Get("retry-after")))
				if name != behaviour.ErrorMidStream {
					Expect(r.body).To(Equal(want.body))
				}
				Expect(world.envoy.line(id).Tars).To(HaveKey("error_class"))
				Expect(r.header.Get("x-request-id")).To(Equal(id))
				if want.status >= http.StatusBadRequest {
					Expect(r.header.Values("x-tarsbackend-error-source")).To(Equal([]string{"tars"}))
				} else {
					Expect(r.header).NotTo(HaveKey("X-Tarsbackend-Error-Source"))
				}
			})
		}
	}
})
