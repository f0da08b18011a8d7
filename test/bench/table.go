// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// column is one of a table.
type column struct {
	title string
	value func(r results, scenario string, v variant) spread
	// format is for the median; the spread follows in brackets.
	format string
}

func columns() []column {
	added := func(figure func(figures) float64) func(results, string, variant) spread {
		return func(r results, s string, v variant) spread {
			return r.against(s, v, func(f, floor figures) float64 { return figure(f) - figure(floor) })
		}
	}
	plain := func(figure func(figures) float64) func(results, string, variant) spread {
		return func(r results, s string, v variant) spread { return r.of(s, v, figure) }
	}
	return []column{
		{"requests/s", plain(func(f figures) float64 { return f.Throughput }), "%.0f"},
		{"share of floor", func(r results, s string, v variant) spread { return r.against(s, v, share) }, "%.2f"},
		{"added p50 (ms)", added(func(f figures) float64 { return f.P50 }), "%.2f"},
		{"added p99 (ms)", added(func(f figures) float64 { return f.P99 }), "%.2f"},
		{"Envoy CPU (us)", plain(func(f figures) float64 { return f.EnvoyMicros }), "%.0f"},
		{"ext_proc CPU (us)", plain(func(f figures) float64 { return f.ProcMicros }), "%.0f"},
		{"ext_proc peak (MiB)", plain(func(f figures) float64 { return f.ProcPeak }), "%.0f"},
		{"first byte p50 (ms)", plain(func(f figures) float64 { return f.FirstByteP50 }), "%.2f"},
		{"gap p99 (ms)", plain(func(f figures) float64 { return f.GapP99 }), "%.2f"},
	}
}

// table is the results in Markdown, scenario by scenario.
func table(r results) string {
	var b strings.Builder
	b.WriteString("| load | variant |")
	for _, c := range columns() {
		fmt.Fprintf(&b, " %s |", c.title)
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" --- |", len(columns())) + "\n")
	for _, scenario := range r.scenarios() {
		for _, v := range []variant{floor, noops, before, ours} {
			if len(r.rounds(scenario, v)) == 0 {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s |", scenario, v)
			for _, c := range columns() {
				fmt.Fprintf(&b, " %s |", c.text(c.value(r, scenario, v)))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// text is a spread: the median, and what it was between.
func (c column) text(s spread) string {
	if math.IsNaN(s.Median) || (s.Least == 0 && s.Most == 0) {
		return ""
	}
	return fmt.Sprintf(c.format+" ("+c.format+" to "+c.format+")", s.Median, s.Least, s.Most)
}

// scenarios are the names of what was measured, in the order of the plan.
func (r results) scenarios() []string {
	order := map[string]int{}
	for i, s := range scenarios() {
		order[s.Name] = i
	}
	var names []string
	for _, c := range r.Cells {
		if !slices.Contains(names, c.Scenario) {
			names = append(names, c.Scenario)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(order[a], order[b]) })
	return names
}
