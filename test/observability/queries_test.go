// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
)

const (
	chatPath = "/v1/chat/completions"
	chat     = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}`
	stream   = `{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hello"}]}`
)

// send sends a request and reads its answer to the end.
func send(req *http.Request) int {
	GinkgoHelper()
	resp, err := http.DefaultClient.Do(req)
	Expect(err).NotTo(HaveOccurred())
	_, err = io.Copy(io.Discard, resp.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(resp.Body.Close()).To(Succeed())
	return resp.StatusCode
}

// panelQueries are the dashboard's, by the title of their panel, with Grafana's
// variables filled in.
func panelQueries() map[string][]string {
	GinkgoHelper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	Expect(json.Unmarshal([]byte(read(root+"/config/grafana/dashboard.json")), &dashboard)).To(Succeed())
	variables := strings.NewReplacer("$__rate_interval", "1m", "$__range", "1m", "$tarsbackend", ".*")
	found := map[string][]string{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			query := variables.Replace(target.Expr)
			Expect(query).NotTo(ContainSubstring("$"), panel.Title)
			found[panel.Title] = append(found[panel.Title], query)
		}
	}
	Expect(found).NotTo(BeEmpty())
	return found
}

// about are the TarsBackends that a query has something to say of.
func about(samples []sample) []string {
	names := []string{}
	for _, s := range samples {
		names = append(names, s.Labels["tarsbackend"])
	}
	return names
}

var _ = Describe("Prometheus", Ordered, func() {
	var w *world

	// answers waits until a query has an answer that is a number.
	answers := func(ctx SpecContext, query string, traffic func()) []sample {
		GinkgoHelper()
		var samples []sample
		Eventually(func(g Gomega) {
			if traffic != nil {
				traffic()
			}
			var err error
			samples, err = w.prometheus.try(ctx, query)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(samples).To(ContainElement(HaveField("Value", Not(Satisfy(math.IsNaN)))), query)
		}).WithContext(ctx).WithTimeout(settleTimeout).WithPolling(poll).Should(Succeed())
		return samples
	}

	BeforeAll(func() { w = startWorld() })

	It("takes every query of the dashboard and of the alerts", func(ctx SpecContext) {
		for title, queries := range panelQueries() {
			for _, query := range queries {
				_, err := w.prometheus.try(ctx, query)
				Expect(err).NotTo(HaveOccurred(), title)
			}
		}
		for name, rule := range alerts() {
			_, err := w.prometheus.try(ctx, rule.Expr)
			Expect(err).NotTo(HaveOccurred(), name)
		}
	})

	It("sees no alert in good traffic, but that nobody works", func(ctx SpecContext) {
		w.condition(ctx, "good", metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady})
		w.condition(ctx, "good", metav1.Condition{Type: v1alpha1.ConditionExtProcAvailable, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAvailable})
		w.condition(ctx, "good", metav1.Condition{Type: v1alpha1.ConditionDataPlaneVerified, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonVerified})
		answers(ctx, `sum(rate(tars_requests_total{tarsbackend="team/good",code="200"}[1m])) > 0`, func() {
			Expect(w.post("good", chatPath, chat)).To(Equal(http.StatusOK))
		})
		answers(ctx, `tars_tarsbackend_condition{tarsbackend="team/good"}`, nil)
		for name, rule := range alerts() {
			if name == "TarsOperatorDown" {
				Expect(w.prometheus.query(ctx, rule.Expr)).To(HaveLen(1))
				continue
			}
			Expect(w.prometheus.query(ctx, rule.Expr)).To(BeEmpty(), name)
		}
		w.work()
		Eventually(func() ([]sample, error) { return w.prometheus.try(ctx, alerts()["TarsOperatorDown"].Expr) }).
			WithTimeout(settleTimeout).WithPolling(poll).Should(BeEmpty())
	})

	It("has the tokens of the stand-in's ledger", func(ctx SpecContext) {
		for _, body := range []string{chat, stream, chat, stream} {
			Expect(w.post("good", chatPath, body)).To(Equal(http.StatusOK))
		}
		// All that the stand-in was asked so far went through TarsBackend good.
		var input, output float64
		for _, entry := range w.fake.Ledger.List(ledger.Filter{}).Entries {
			Expect(entry.Usage).NotTo(BeNil())
			input, output = input+float64(entry.Usage.Input), output+float64(entry.Usage.Output)
		}
		Expect(input * output).To(BeNumerically(">", 0))
		Eventually(func(g Gomega) {
			for kind, want := range map[string]float64{"input": input, "output": output} {
				samples, err := w.prometheus.try(ctx, `sum(gen_ai_client_token_usage_sum{gen_ai_token_type="`+kind+`"})`)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(samples).To(HaveExactElements(HaveField("Value", want)), kind)
			}
		}).WithContext(ctx).WithTimeout(settleTimeout).WithPolling(poll).Should(Succeed())
	})

	DescribeTable("sees the alert of a condition, for that TarsBackend alone",
		func(ctx SpecContext, name, backend, kind string, status metav1.ConditionStatus, reason string) {
			w.condition(ctx, backend, metav1.Condition{Type: kind, Status: status, Reason: reason})
			samples := answers(ctx, alerts()[name].Expr, nil)
			Expect(about(samples)).To(Equal([]string{"team/" + backend}))
			Expect(samples[0].Labels).To(HaveKeyWithValue("namespace", "team"))
		},
		Entry(nil, "TarsBackendNotReady", "keyless", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound),
		Entry(nil, "TarsExtProcDown", "down", v1alpha1.ConditionExtProcAvailable, metav1.ConditionFalse, v1alpha1.ReasonExtProcNotAvailable),
		Entry(nil, "TarsExtProcNotScraped", "unseen", v1alpha1.ConditionExtProcAvailable, metav1.ConditionTrue, v1alpha1.ReasonAvailable),
	)

	DescribeTable("sees the alert of traffic, for that TarsBackend alone",
		func(ctx SpecContext, name, backend, source string, status int, body func() string, headers ...string) {
			expr := alerts()[name].Expr
			samples := answers(ctx, `(`+expr+`) and on (tarsbackend) tars_requests_in_flight{tarsbackend="team/`+backend+`"}`, func() {
				Expect(w.post(backend, chatPath, body(), headers...)).To(Equal(status))
				Expect(w.post("good", chatPath, chat)).To(Equal(http.StatusOK))
			})
			Expect(samples).To(HaveLen(1))
			Expect(samples[0].Labels["source"]).To(Equal(source))
			Expect(samples[0].Labels["namespace"]).To(Equal("team"))
			Expect(about(w.prometheus.query(ctx, expr))).NotTo(ContainElement("team/good"))
		},
		Entry("a key that TARS rejects", "TarsKeyRejected", "rejected", "", http.StatusUnauthorized, text(chat), "x-fake-error", "401"),
		Entry("no credits", "TarsCreditsExhausted", "broke", "", http.StatusPaymentRequired, text(chat), "x-fake-error", "402"),
		Entry("no credits, told inside a 200", "TarsCreditsExhausted", "broke", "", http.StatusOK, text(chat), "x-fake-error", "inside-200"),
		Entry("errors of TARS", "TarsErrors", "failing", "tars", http.StatusServiceUnavailable, text(chat), "x-fake-error", "503"),
		Entry("errors of the gateway", "TarsErrors", "unreachable", "gateway", http.StatusServiceUnavailable, text(chat)),
		Entry("more bytes than memory", "TarsExtProcOverloaded", "full", "", http.StatusServiceUnavailable, large),
		Entry("errors of the external processor", "TarsErrors", "full", "extproc", http.StatusServiceUnavailable, large),
		Entry("answers without usage", "TarsUsageMissing", "unmetered", "", http.StatusOK, text(chat), "x-fake-usage", "absent"),
	)

	It("sees that a pod is nearly full", func(ctx SpecContext) {
		reader, writer := io.Pipe()
		uploading, hangUp := context.WithCancel(ctx)
		req, err := http.NewRequestWithContext(uploading, http.MethodPost, "http://"+w.envoy.Address+"/full"+chatPath, reader)
		Expect(err).NotTo(HaveOccurred())
		req.Header.Set("content-type", "application/json")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}()
		DeferCleanup(func() {
			hangUp()
			Expect(writer.CloseWithError(io.ErrUnexpectedEOF)).To(Succeed())
			Eventually(ended).WithTimeout(settleTimeout).Should(BeClosed())
		})
		// It is not whole, so it is held.
		_, err = io.WriteString(writer, `{"a":"`+strings.Repeat("a", heldLimit*9/10))
		Expect(err).NotTo(HaveOccurred())
		samples := answers(ctx, alerts()["TarsExtProcSaturated"].Expr, nil)
		Expect(samples).To(HaveExactElements(HaveField("Labels", Equal(map[string]string{"namespace": "team", "pod": "extproc-0"}))))
	})

	It("fills every panel of the dashboard", func(ctx SpecContext) {
		hangUp := func() {
			ctx, cancel := context.WithCancel(ctx)
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.envoy.Address+"/good"+chatPath, strings.NewReader(stream))
			Expect(err).NotTo(HaveOccurred())
			req.Header.Set("content-type", "application/json")
			req.Header.Set("x-fake-stall", "10s")
			resp, err := http.DefaultClient.Do(req)
			Expect(err).NotTo(HaveOccurred())
			cancel()
			_ = resp.Body.Close()
		}
		for title, queries := range panelQueries() {
			for _, query := range queries {
				By(title)
				answers(ctx, query, func() {
					Expect(w.post("good", chatPath, stream)).To(Equal(http.StatusOK))
					if strings.Contains(query, "aborted") {
						hangUp()
					}
				})
			}
		}
	})

	It("has the dashboard's variable", func(ctx SpecContext) {
		match := regexp.MustCompile(`label_values\((\w+), (\w+)\)`).FindStringSubmatch(read(root + "/config/grafana/dashboard.json"))
		Expect(match).NotTo(BeNil())
		var values []string
		for _, s := range w.prometheus.query(ctx, match[1]) {
			values = append(values, s.Labels[match[2]])
		}
		for _, name := range backends {
			Expect(values).To(ContainElement("team/" + name))
		}
	})
})

func text(body string) func() string { return func() string { return body } }

// large is a chat of more bytes than may be held.
func large() string {
	return `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"` + strings.Repeat("a", heldLimit+1<<20) + `"}]}`
}
