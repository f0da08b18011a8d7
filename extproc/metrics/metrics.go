// SPDX-License-Identifier: Apache-2.0

// Package metrics counts what passes the external processor, for Prometheus.
// Labels are bounded: paths are a fixed list, models see modelLabels.
//
// Each metric has its line in docs/metrics.md.
package metrics

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tars-operator/tars-operator/extproc/genai"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/usage"
)

// Request is what is known of a request at its end.
type Request struct {
	// Path is the path's label.
	Path string
	// Status is the HTTP status that the client got; 499 when it hung up
	// before there was one.
	Status int
	// Source is the value of x-tarsbackend-error-source, empty on success.
	Source string
	// ErrorClass is usage.Class of TARS's answer.
	ErrorClass string
	// Refusal is the error.code of an answer that was worded here, empty for
	// none.
	Refusal string
	// Inference tells that a model was asked for. Of other requests, only the tokens
	// that they told count.
	Inference bool
	// Operation is gen_ai.operation.name, empty unless Inference.
	Operation string
	// Provider is gen_ai.provider.name: the flavour of API spoken.
	Provider string
	// RequestModel is the model that TARS was asked for, ResponseModel the
	// one that answered.
	RequestModel, ResponseModel string
	// Counts are the tokens that the answer told. Estimated ones mean that it
	// should have told them and did not.
	Counts usage.Counts
	// Aborted tells that the exchange ended before its answer was complete.
	Aborted bool
	// Duration is the time from the request's headers to the end.
	Duration time.Duration
	// FirstByte is the time to the first byte of the answer's body, 0 when
	// there was none.
	FirstByte time.Duration
	// Streamed tells that the answer came as server-sent events: only then is
	// its first byte that of a token, and not of a whole answer.
	Streamed bool
}

// Options are what New needs.
type Options struct {
	// Budget is shown as held bytes.
	Budget *memory.Budget
	// Version is the binary's, ConfigHash the configuration's.
	Version, ConfigHash string
}

// Metrics holds every metric of the process.
type Metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	upstream   *prometheus.CounterVec
	missing    *prometheus.CounterVec
	estimated  *prometheus.CounterVec
	aborted    *prometheus.CounterVec
	inFlight   *prometheus.GaugeVec
	parts      *prometheus.CounterVec
	tokens     *prometheus.HistogramVec
	duration   *prometheus.HistogramVec
	firstToken *prometheus.HistogramVec
	eachToken  *prometheus.HistogramVec
	settled    atomic.Uint64
}

// New registers everything on a registry of its own.
func New(o Options) (*Metrics, error) {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.requests = counter("tars_requests_total",
		"Requests by path, HTTP status and the layer that answered an error (none on success).",
		"tarsbackend", "path", "code", "source")
	m.refusals = counter("tars_refusals_total",
		"Requests that the external processor answered itself, by the error's code.", "tarsbackend", "reason")
	m.upstream = counter("tars_upstream_errors_total",
		"Errors of TARS by class, errors inside a 200 included.", "tarsbackend", "class")
	m.missing = counter("tars_usage_missing_total",
		"Requests that a model may have run for and of which no usage was told, hang-ups and timeouts included.", "tarsbackend", "path")
	m.estimated = counter("tars_usage_estimated_tokens_total",
		"Tokens of the requests in tars_usage_missing_total by our estimate; in no other metric.",
		"tarsbackend", labelRequestModel, labelTokenType)
	m.aborted = counter("tars_requests_aborted_total",
		"Requests that ended before their answer did: the client hung up, or the connection to TARS broke.", "tarsbackend", "path")
	m.parts = counter("tars_token_subset_total",
		"Tokens that are a part of the input (cached_input, cache_creation) or output (reasoning).",
		"tarsbackend", labelRequestModel, "subset")
	m.inFlight = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tars_requests_in_flight", Help: "Requests that have not ended.",
	}, []string{"tarsbackend"})
	common := []string{
		"tarsbackend", labelOperation, labelProvider, labelRequestModel, labelResponseModel, labelServerAddress, labelServerPort,
	}
	m.tokens = histogram(nameTokenUsage, "Tokens per request.", genai.TokenBuckets(), append(common, labelTokenType))
	m.duration = histogram(nameDuration, "Time from the request's headers to the end of the answer.",
		genai.DurationBuckets(), append(common, labelErrorType))
	m.firstToken = histogram(nameFirstToken, "Time from the request's headers to the first byte of a streamed answer.",
		genai.FirstTokenBuckets(), common)
	m.eachToken = histogram(nameEachToken, "Time of a streamed answer for each token after the first.",
		genai.EachTokenBuckets(), common)
	return m, m.register(o)
}

func (m *Metrics) register(o Options) error {
	all := []prometheus.Collector{
		m.requests, m.refusals, m.upstream, m.missing, m.estimated, m.aborted, m.parts, m.inFlight,
		m.tokens, m.duration, m.firstToken, m.eachToken,
		info("tars_extproc_build_info", "Always 1; the version is a label.", "version", o.Version),
		info("tars_extproc_config_info", "Always 1; the configuration's hash is a label, as in the TarsBackend's status.",
			"config_hash", o.ConfigHash),
		gauge("tars_held_bytes", "Bytes of bodies held in memory, and 4 KiB for each request in flight.", o.Budget.Held),
		gauge("tars_held_bytes_limit", "Bytes of bodies that may be held in memory.", o.Budget.Limit),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
	for _, c := range all {
		if err := m.registry.Register(c); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// info is a gauge that is there for its label.
func info(name, help, label, value string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: prometheus.Labels{label: value}})
	g.Set(1)
	return g
}

func gauge(name, help string, value func() int64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		return float64(value())
	})
}

func histogram(name, help string, buckets []float64, labels []string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

// Settled is how many requests have ended: a reading of the metrics that begins after
// it has grown shows them.
func (m *Metrics) Settled() uint64 { return m.settled.Load() }

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// statusText is the label of a status.
func statusText(status int) string { return strconv.Itoa(status) }
