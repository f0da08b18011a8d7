// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"time"
)

// results are the raw ones: everything that a table or a plot is made from.
type results struct {
	Platform platform `json:"platform"`
	Cells    []cell   `json:"cells"`
	// Void are measurements that were thrown away, and why.
	Void []voided `json:"void"`
}

// cell is one scenario of one variant in one round.
type cell struct {
	Round    int     `json:"round"`
	Scenario string  `json:"scenario"`
	Variant  variant `json:"variant"`
	figures
}

// voided is a measurement that counts for nothing.
type voided struct {
	Round    int     `json:"round"`
	Scenario string  `json:"scenario"`
	Variant  variant `json:"variant"`
	Why      string  `json:"why"`
}

// figures are what was measured. Times are in milliseconds, memory in MiB; what
// does not apply is 0.
type figures struct {
	Requests      int     `json:"requests"`
	Throughput    float64 `json:"requestsPerSecond"`
	P50           float64 `json:"p50Millis"`
	P99           float64 `json:"p99Millis"`
	FirstByteP50  float64 `json:"firstByteP50Millis"`
	FirstByteP99  float64 `json:"firstByteP99Millis"`
	GapP50        float64 `json:"gapP50Millis"`
	GapP99        float64 `json:"gapP99Millis"`
	EnvoyMicros   float64 `json:"envoyCPUMicrosPerRequest"`
	ProcMicros    float64 `json:"extprocCPUMicrosPerRequest"`
	StandInMicros float64 `json:"standInCPUMicrosPerRequest"`
	ClientMicros  float64 `json:"clientCPUMicrosPerRequest"`
	EnvoyPeak     float64 `json:"envoyPeakMiB"`
	ProcPeak      float64 `json:"extprocPeakMiB"`
	// ProcRest is what ext_proc took before the scenario.
	ProcRest float64 `json:"extprocBeforeMiB"`
}

// latencies fills in what the client saw.
func (f *figures) latencies(l load) {
	f.Requests = len(l.timings)
	f.Throughput = float64(len(l.timings)) / l.elapsed.Seconds()
	total, first := make([]time.Duration, 0, len(l.timings)), make([]time.Duration, 0, len(l.timings))
	var gaps []time.Duration
	for _, t := range l.timings {
		total, first = append(total, t.total), append(first, t.firstByte)
		gaps = append(gaps, t.gaps...)
	}
	f.P50, f.P99 = quantiles(total)
	f.FirstByteP50, f.FirstByteP99 = quantiles(first)
	f.GapP50, f.GapP99 = quantiles(gaps)
}

// quantiles are the median and the 99th percentile in milliseconds, by the nearest rank: of
// fewer than 100 times the 99th is the longest. 0 of nothing.
func quantiles(times []time.Duration) (p50, p99 float64) {
	if len(times) == 0 {
		return 0, 0
	}
	slices.Sort(times)
	at := func(percent int) float64 {
		return float64(times[(len(times)*percent+99)/100-1]) / float64(time.Millisecond)
	}
	return at(50), at(99)
}
