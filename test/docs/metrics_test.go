// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers"
	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/metrics"
	"github.com/tars-operator/tars-operator/extproc/usage"
)

const metricsPage = root + "/docs/metrics.md"

// metric is what page and program say of one.
type metric struct {
	kind   string
	labels []string // sorted
}

// documentedMetrics are the rows of the page's tables.
func documentedMetrics() map[string]metric {
	text, err := os.ReadFile(metricsPage)
	Expect(err).NotTo(HaveOccurred())
	found := map[string]metric{}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| (\\w+) \\| ([^|]*) \\| ([^|]+) \\| [^|]*\\|$")
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		Expect(found).NotTo(HaveKey(match[1]), "twice in the page")
		labels := []string{}
		for _, label := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(match[4], -1) {
			labels = append(labels, label[1])
		}
		slices.Sort(labels)
		found[match[1]] = metric{kind: match[2], labels: labels}
	}
	return found
}

// shownMetrics are what programs show once everything has happened, without
// those of libraries.
func shownMetrics(handlers ...http.Handler) map[string]metric {
	found := map[string]metric{}
	for _, handler := range handlers {
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
		Expect(rec.Code).To(Equal(http.StatusOK), rec.Body.String())
		for _, match := range regexp.MustCompile(`(?m)^# TYPE (tars_\w+|gen_ai_\w+) (\w+)$`).FindAllStringSubmatch(rec.Body.String(), -1) {
			series := regexp.MustCompile(`(?m)^` + match[1] + `(?:_sum)?(?:\{(.*)\})? `).FindStringSubmatch(rec.Body.String())
			Expect(series).NotTo(BeNil(), match[1])
			labels := []string{}
			for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(series[1], -1) {
				labels = append(labels, label[1])
			}
			slices.Sort(labels)
			found[match[1]] = metric{kind: match[2], labels: labels}
		}
	}
	return found
}

// extprocMetrics are the external processor's after a request that has
// everything.
func extprocMetrics() http.Handler {
	m, err := metrics.New(metrics.Options{Budget: memory.NewBudget(1), Version: "v1", ConfigHash: "0123"})
	Expect(err).NotTo(HaveOccurred())
	route := m.Route(config.Route{Name: "team/tars", ServerAddress: "tars.example.com", ServerPort: 443}, nil)
	route.Begin()
	route.End(metrics.Request{
		Path: "/v1/chat/completions", Status: http.StatusOK, Inference: true, Operation: "chat", Provider: "openai",
		RequestModel: "gpt", ResponseModel: "gpt", Streamed: true, FirstByte: time.Second, Duration: 2 * time.Second,
		Counts: usage.Counts{Known: true, Input: 3, Output: 3, CachedInput: 1},
	})
	route.Begin()
	route.End(metrics.Request{Path: "other", Aborted: true, Inference: true, Counts: usage.Counts{Estimated: true, Input: 1, Output: 1}})
	return m.Handler()
}

// operatorMetrics are the operator's with one TarsBackend.
func operatorMetrics() http.Handler {
	scheme := runtime.NewScheme()
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	backend := &v1alpha1.TarsBackend{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "tars"}}
	backend.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady}}
	registry := prometheus.NewRegistry()
	registry.MustRegister(&controllers.ConditionMetrics{Reader: fake.NewClientBuilder().WithScheme(scheme).WithObjects(backend).Build()})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

var _ = Describe("docs/metrics.md", func() {
	It("has every metric with its type and labels, and no other", func() {
		Expect(documentedMetrics()).To(Equal(shownMetrics(extprocMetrics(), operatorMetrics())))
	})

	It("names every class of TARS's errors and every source", func() {
		text, err := os.ReadFile(metricsPage)
		Expect(err).NotTo(HaveOccurred())
		words := append(usage.Classes(), config.ErrorSourceClient, config.ErrorSourceLimit, config.ErrorSourceGateway,
			config.ErrorSourceExtProc, config.ErrorSourceTARS)
		for _, word := range words {
			Expect(strings.Contains(string(text), "`"+word+"`")).To(BeTrue(), word)
		}
	})
})
