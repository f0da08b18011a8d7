// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// page are metrics of so many requests, with some more lines.
func page(requests, input, output int, more ...string) string {
	labels := strings.Join(asked, ",")
	return fmt.Sprintf(`
gen_ai_client_token_usage_bucket{%[1]s,gen_ai_token_type="input",le="1"} 7
gen_ai_client_token_usage_sum{%[1]s,gen_ai_token_type="input"} %[3]d
gen_ai_client_token_usage_count{%[1]s,gen_ai_token_type="input"} %[2]d
gen_ai_client_token_usage_sum{%[1]s,gen_ai_token_type="output"} %[4]d
gen_ai_client_token_usage_count{%[1]s,gen_ai_token_type="output"} %[2]d
gen_ai_server_request_duration_seconds_count{%[1]s,error_type=""} %[2]d
tars_requests_total{code="200",path="/v1/chat/completions",source="none",tarsbackend="default/bench"} %[2]d
tars_requests_in_flight{tarsbackend="default/bench"} 9
`, labels, requests, input, output) + strings.Join(more, "\n") + "\n"
}

var _ = Describe("What ext_proc metered", func() {
	It("is the sum of the series of its tokens", func() {
		Expect(meters(page(3, 1500, 9))).To(Equal(account{Requests: 3, Input: 1500, Output: 9}))
		Expect(meters(strings.Replace(page(3, 1500, 9), "1500", "1.5e+03", 1))).To(Equal(account{Requests: 3, Input: 1500, Output: 9}))
	})

	other := strings.Join(asked, ",")
	DescribeTable("is apart where it is not what was asked for",
		func(line string) {
			Expect(meters(page(3, 1500, 9, line))).To(Equal(account{Requests: 3, Input: 1500, Output: 9, Other: 2}))
		},
		Entry("another model", `gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_request_model="x",gen_ai_token_type="input"} 2`),
		Entry("another status", `tars_requests_total{code="599",path="/v1/chat/completions",source="none"} 2`),
		Entry("another source", `tars_requests_total{code="200",path="/v1/chat/completions",source="tars"} 2`),
		Entry("an error", `gen_ai_server_request_duration_seconds_count{`+other+`,error_type="x"} 2`),
		Entry("missing usage", `tars_usage_missing_total{path="x"} 2`),
		Entry("estimates", `tars_usage_estimated_tokens_total{path="x"} 2`),
		Entry("what was cut", `tars_requests_aborted_total{path="x"} 2`),
		Entry("what was refused", `tars_refusals_total{reason="x"} 2`),
		Entry("errors of TARS", `tars_upstream_errors_total{class="x"} 2`),
		Entry("cached tokens", `tars_token_subset_total{subset="x"} 2`),
	)
})

// poll is as long as an audit waits in tests for what does not agree.
const poll = 100 * time.Millisecond

var _ = Describe("An audit", func() {
	var metrics, ledger string
	serve := func(path string, text *string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			Expect(r.URL.Path).To(Equal(path))
			_, err := w.Write([]byte(*text))
			Expect(err).NotTo(HaveOccurred())
		}))
		DeferCleanup(s.Close)
		return s.URL
	}
	told := func(requests, input, output int) string {
		return fmt.Sprintf(`{"requests":%d,"sent":{"input":%d,"output":%d}}`, requests, input, output)
	}

	DescribeTable("compares the client, the stand-in and ext_proc, from its begin on",
		func(answers int, ledgerAfter, metricsAfter string, metered bool, want OmegaMatcher) {
			s := &stage{standIn: &child{}}
			s.standIn.Admin = serve("/ledger/summary", &ledger)
			if metered {
				s.processor.metrics = strings.TrimPrefix(serve("/metrics", &metrics), "http://")
			}
			ledger, metrics = told(100, 1000, 500), page(90, 900, 450)
			a, err := beginAudit(context.Background(), s)
			Expect(err).NotTo(HaveOccurred())
			a.patience = poll
			ledger, metrics = ledgerAfter, metricsAfter
			Expect(a.end(context.Background(), answers)).To(want)
		},
		Entry("all agree", 2, told(102, 1020, 508), page(92, 920, 458), true, BeEmpty()),
		Entry("an answer that nobody gave", 3, told(102, 1020, 508), page(92, 920, 458), true, ContainSubstring("had 3 answers")),
		Entry("an answer too few", 1, told(102, 1020, 508), page(92, 920, 458), false, ContainSubstring("had 1 answers")),
		Entry("nothing that meters", 2, told(102, 1020, 508), "", false, BeEmpty()),
		Entry("an input token too few", 2, told(102, 1020, 508), page(92, 919, 458), true, ContainSubstring("metered")),
		Entry("an output token too many", 2, told(102, 1020, 508), page(92, 920, 459), true, ContainSubstring("metered")),
		Entry("a request that was not metered", 2, told(102, 1020, 508), page(91, 920, 458), true, ContainSubstring("metered")),
		Entry("something else", 2, told(102, 1020, 508), page(92, 920, 458, `tars_requests_aborted_total{path="x"} 1`), true, ContainSubstring("Other:1")),
	)
})
