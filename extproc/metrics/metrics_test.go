// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/metrics"
	"github.com/tars-operator/tars-operator/extproc/usage"
)

func TestMetrics(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/metrics")
}

func newRoute(models ...string) (*metrics.Metrics, *metrics.Route) {
	m, err := metrics.New(metrics.Options{Budget: memory.NewBudget(1000), Version: "v0", ConfigHash: "0123"})
	Expect(err).NotTo(HaveOccurred())
	return m, m.Route(config.Route{Name: "ns/a", ServerAddress: "tars.example.com", ServerPort: 443}, models)
}

// scrape returns the lines of /metrics that are ours, without counters at 0.
func scrape(m *metrics.Metrics) []string {
	return slices.DeleteFunc(scrapeAll(m), func(line string) bool {
		return strings.Contains(line, "_total{") && strings.HasSuffix(line, " 0")
	})
}

func scrapeAll(m *metrics.Metrics) []string {
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	var lines []string
	for line := range strings.Lines(rec.Body.String()) {
		if strings.HasPrefix(line, "tars_") || strings.HasPrefix(line, "gen_ai_") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func chat(change func(*metrics.Request)) metrics.Request {
	r := metrics.Request{
		Path: "/v1/chat/completions", Status: 200, Inference: true, Operation: "chat", Provider: "openai",
		RequestModel: "gpt", ResponseModel: "gpt-1",
		Duration: 30 * time.Millisecond, FirstByte: 3 * time.Millisecond, Streamed: true,
		Counts: usage.Counts{Known: true, Input: 7, Output: 5, Total: 12, CachedInput: 3, CacheCreation: 1, Reasoning: 2},
	}
	if change != nil {
		change(&r)
	}
	return r
}

const common = `gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt",gen_ai_response_model="gpt-1"`

// firstToken are the lines of the time to the first token.
var firstToken = HavePrefix("gen_ai_server_time_to_first_token_seconds_count")

var _ = Describe("Metrics", func() {
	It("counts a successful request", func() {
		m, route := newRoute()
		route.Begin()
		Expect(scrape(m)).To(ContainElement(`tars_requests_in_flight{tarsbackend="ns/a"} 1`))
		route.End(chat(nil))
		Expect(scrape(m)).To(ContainElements(
			`tars_requests_in_flight{tarsbackend="ns/a"} 0`,
			`tars_requests_total{code="200",path="/v1/chat/completions",source="none",tarsbackend="ns/a"} 1`,
			`gen_ai_client_token_usage_sum{`+common+`,gen_ai_token_type="input",server_address="tars.example.com",server_port="443",tarsbackend="ns/a"} 7`,
			`gen_ai_client_token_usage_count{`+common+`,gen_ai_token_type="input",server_address="tars.example.com",server_port="443",tarsbackend="ns/a"} 1`,
			`gen_ai_client_token_usage_sum{`+common+`,gen_ai_token_type="output",server_address="tars.example.com",server_port="443",tarsbackend="ns/a"} 5`,
			`gen_ai_server_request_duration_seconds_sum{error_type="",`+common+`,server_address="tars.example.com",server_port="443",tarsbackend="ns/a"} 0.03`,
			`gen_ai_server_time_to_first_token_seconds_sum{`+common+`,server_address="tars.example.com",server_port="443",tarsbackend="ns/a"} 0.003`,
			// 27 ms for the two tokens that the stream shows after the first.
			`gen_ai_server_time_per_output_token_seconds_sum{`+common+`,server_address="tars.example.com",server_port="443",tarsbackend="ns/a"} 0.0135`,
			`tars_token_subset_total{gen_ai_request_model="gpt",subset="cached_input",tarsbackend="ns/a"} 3`,
			`tars_token_subset_total{gen_ai_request_model="gpt",subset="cache_creation",tarsbackend="ns/a"} 1`,
			`tars_token_subset_total{gen_ai_request_model="gpt",subset="reasoning",tarsbackend="ns/a"} 2`,
			`tars_held_bytes 0`, `tars_held_bytes_limit 1000`, `tars_extproc_build_info{version="v0"} 1`, `tars_extproc_config_info{config_hash="0123"} 1`,
		))
		Expect(scrape(m)).NotTo(ContainElement(MatchRegexp("usage_missing|aborted|upstream_errors|refusals")))
	})

	It("begins counters that alerts look at with 0", func() {
		m, _ := newRoute()
		Expect(scrapeAll(m)).To(ContainElements(
			`tars_upstream_errors_total{class="authentication",tarsbackend="ns/a"} 0`,
			`tars_upstream_errors_total{class="credits",tarsbackend="ns/a"} 0`,
			`tars_usage_missing_total{path="/v1/chat/completions",tarsbackend="ns/a"} 0`,
			`tars_refusals_total{reason="overloaded",tarsbackend="ns/a"} 0`,
		))
	})

	DescribeTable("tells no time of a token that nobody could take",
		func(change func(*metrics.Request), first types.GomegaMatcher) {
			m, route := newRoute()
			route.Begin()
			route.End(chat(change))
			Expect(scrape(m)).NotTo(ContainElement(HavePrefix("gen_ai_server_time_per_output_token")))
			Expect(scrape(m)).To(first)
		},
		Entry("of an answer in one piece", func(r *metrics.Request) { r.Streamed = false }, Not(ContainElement(firstToken))),
		Entry("of an error", func(r *metrics.Request) { r.ErrorClass = "server" }, Not(ContainElement(firstToken))),
		Entry("of an answer that broke off", func(r *metrics.Request) { r.Aborted = true }, ContainElement(firstToken)),
		Entry("of a single token shown", func(r *metrics.Request) { r.Counts.Output, r.Counts.Reasoning = 5, 4 }, ContainElement(firstToken)),
		Entry("where tokens are not told", func(r *metrics.Request) { r.Counts.Known = false }, ContainElement(firstToken)),
	)

	It("counts what went wrong", func() {
		m, route := newRoute("gpt")
		for _, change := range []func(*metrics.Request){
			func(r *metrics.Request) {
				r.Status, r.Source, r.ErrorClass, r.Counts = 429, "tars", "rate_limit", usage.Counts{}
			},
			func(r *metrics.Request) { r.ErrorClass, r.Counts = "credits", usage.Counts{} },
			func(r *metrics.Request) {
				r.Status, r.Source, r.Refusal, r.Counts = 413, "client", "request_too_large", usage.Counts{}
			},
			func(r *metrics.Request) {
				r.Aborted, r.Counts = true, usage.Counts{Estimated: true, Input: 3, Output: 2, Total: 5}
			},
		} {
			route.Begin()
			route.End(chat(change))
		}
		lines := scrape(m)
		Expect(lines).To(ContainElements(
			`tars_requests_total{code="429",path="/v1/chat/completions",source="tars",tarsbackend="ns/a"} 1`,
			`tars_requests_total{code="413",path="/v1/chat/completions",source="client",tarsbackend="ns/a"} 1`,
			`tars_upstream_errors_total{class="rate_limit",tarsbackend="ns/a"} 1`,
			`tars_upstream_errors_total{class="credits",tarsbackend="ns/a"} 1`,
			`tars_refusals_total{reason="request_too_large",tarsbackend="ns/a"} 1`,
			`tars_usage_missing_total{path="/v1/chat/completions",tarsbackend="ns/a"} 1`,
			`tars_usage_estimated_tokens_total{gen_ai_request_model="gpt",gen_ai_token_type="input",tarsbackend="ns/a"} 3`,
			`tars_usage_estimated_tokens_total{gen_ai_request_model="gpt",gen_ai_token_type="output",tarsbackend="ns/a"} 2`,
			`tars_requests_aborted_total{path="/v1/chat/completions",tarsbackend="ns/a"} 1`,
			ContainSubstring(`_duration_seconds_count{error_type="rate_limit"`),
			ContainSubstring(`_duration_seconds_count{error_type="client_413"`),
		))
		Expect(lines).NotTo(ContainElement(HavePrefix("gen_ai_client_token_usage")), "unknown usage is no zero")
	})

	It("counts other paths without the metrics of models", func() {
		m, route := newRoute()
		route.Begin()
		route.End(metrics.Request{Path: "/v1/models", Status: 200})
		Expect(scrape(m)).To(ContainElement(`tars_requests_total{code="200",path="/v1/models",source="none",tarsbackend="ns/a"} 1`))
		Expect(scrape(m)).NotTo(ContainElement(HavePrefix("gen_ai_")))
	})

	It("learns 200 models from successful answers, and not one from others", func() {
		m, route := newRoute("configured")
		end := func(model string, status int, class string) {
			route.Begin()
			route.End(chat(func(r *metrics.Request) {
				r.RequestModel, r.ResponseModel, r.Status, r.ErrorClass = model, model, status, class
			}))
		}
		for i := range 500 {
			end(fmt.Sprintf("wrong-%d", i), 404, "not_found")
			end(fmt.Sprintf("failed-%d", i), 200, "unknown")
			route.Begin()
			route.End(metrics.Request{Path: "other", Status: 200, ResponseModel: fmt.Sprintf("free-%d", i)})
		}
		for i := range 250 {
			end(fmt.Sprintf("m-%d", i), 200, "")
		}
		end("configured", 200, "")
		end("m-7", 404, "not_found")
		models := map[string]bool{}
		for _, line := range scrape(m) {
			if match := regexp.MustCompile(`gen_ai_request_model="([^"]*)"`).FindStringSubmatch(line); match != nil {
				models[match[1]] = true
			}
		}
		Expect(models).To(HaveLen(202))
		Expect(models).To(And(HaveKey("_other"), HaveKey("configured"), HaveKey("m-199"), Not(HaveKey("m-200"))))
	})
})
