// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tars-operator/tars-operator/extproc/apierror"
	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/genai"
	"github.com/tars-operator/tars-operator/extproc/policy"
	"github.com/tars-operator/tars-operator/extproc/usage"
)

// Route counts the requests of one TarsBackend. It is safe for use by many
// goroutines.
type Route struct {
	metrics  *Metrics
	name     string
	address  string
	port     string
	models   *modelLabels
	inFlight prometheus.Gauge
}

// Route returns the counters of a TarsBackend; models are the names that are
// labels from the start.
//
// The counters that alerts look at begin at 0: Prometheus sees no increase in
// a series that appears with its first error, and pods are new after each
// change of the configuration.
func (m *Metrics) Route(r config.Route, models []string) *Route {
	for _, class := range usage.Classes() {
		m.upstream.WithLabelValues(r.Name, class)
	}
	for _, path := range policy.InferencePaths() {
		m.missing.WithLabelValues(r.Name, path)
	}
	m.refusals.WithLabelValues(r.Name, apierror.CodeOverloaded)
	return &Route{
		metrics:  m,
		name:     r.Name,
		address:  r.ServerAddress,
		port:     strconv.Itoa(int(r.ServerPort)),
		models:   newModelLabels(models),
		inFlight: m.inFlight.WithLabelValues(r.Name),
	}
}

// Begin counts a request as in flight until End.
func (r *Route) Begin() { r.inFlight.Inc() }

// End counts a request that Begin counted.
func (r *Route) End(req Request) {
	r.inFlight.Dec()
	m := r.metrics
	defer m.settled.Add(1)
	source := req.Source
	if source == "" {
		source = "none"
	}
	m.requests.WithLabelValues(r.name, req.Path, statusText(req.Status), source).Inc()
	if req.ErrorClass != "" {
		m.upstream.WithLabelValues(r.name, req.ErrorClass).Inc()
	}
	if req.Refusal != "" {
		m.refusals.WithLabelValues(r.name, req.Refusal).Inc()
	}
	if req.Aborted {
		m.aborted.WithLabelValues(r.name, req.Path).Inc()
	}
	if req.Counts.Estimated {
		m.missing.WithLabelValues(r.name, req.Path).Inc()
	}
	if req.Inference || req.Counts.Known || req.Counts.Estimated {
		r.genAI(req)
	}
}

// genAI counts what OpenTelemetry's conventions name.
func (r *Route) genAI(req Request) {
	success := req.Status < http.StatusMultipleChoices && req.ErrorClass == ""
	asked := r.models.label(req.RequestModel, success)
	common := []string{
		r.name, cmp.Or(req.Operation, Other), req.Provider, asked, r.models.label(req.ResponseModel, success), r.address, r.port,
	}
	if req.Inference {
		r.times(req, success, common)
	}
	r.tokens(req, asked, common)
}

func with(common []string, last string) []string { return append(slices.Clip(common), last) }

func (r *Route) times(req Request, success bool, common []string) {
	m := r.metrics
	m.duration.WithLabelValues(with(common, req.ErrorType())...).Observe(req.Duration.Seconds())
	if req.Streamed && req.FirstByte > 0 && success {
		m.firstToken.WithLabelValues(common...).Observe(req.FirstByte.Seconds())
		if each, ok := eachToken(req); ok {
			m.eachToken.WithLabelValues(common...).Observe(each)
		}
	}
}

func (r *Route) tokens(req Request, asked string, common []string) {
	m := r.metrics
	if req.Counts.Estimated {
		m.estimated.WithLabelValues(r.name, asked, genai.TokenTypeInput).Add(float64(req.Counts.Input))
		m.estimated.WithLabelValues(r.name, asked, genai.TokenTypeOutput).Add(float64(req.Counts.Output))
	}
	if !req.Counts.Known {
		return
	}
	m.tokens.WithLabelValues(with(common, genai.TokenTypeInput)...).Observe(float64(req.Counts.Input))
	m.tokens.WithLabelValues(with(common, genai.TokenTypeOutput)...).Observe(float64(req.Counts.Output))
	for subset, n := range map[string]int64{
		"cached_input": req.Counts.CachedInput, "cache_creation": req.Counts.CacheCreation, "reasoning": req.Counts.Reasoning,
	} {
		if n > 0 {
			m.parts.WithLabelValues(r.name, asked, subset).Add(float64(n))
		}
	}
}

// eachToken is the time in seconds that a token took after the first one. Only
// tokens that the stream shows count: those of reasoning passed in silence
// before. An answer that broke off tells nothing.
func eachToken(req Request) (seconds float64, ok bool) {
	shown := req.Counts.Output - req.Counts.Reasoning
	if req.Aborted || !req.Counts.Known || shown < 2 {
		return 0, false
	}
	return (req.Duration - req.FirstByte).Seconds() / float64(shown-1), true
}

// ErrorType is OpenTelemetry's error.type: TARS's class, or the layer and
// status of another layer's answer, empty on success.
func (req Request) ErrorType() string {
	switch {
	case req.ErrorClass != "":
		return req.ErrorClass
	case req.Status >= http.StatusBadRequest:
		return req.Source + "_" + statusText(req.Status)
	default:
		return ""
	}
}
