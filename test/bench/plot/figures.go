// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// figures are those parts of a benchmark's file that are drawn.
type figures struct {
	Cells []cell `json:"cells"`
}

type cell struct {
	Round      int     `json:"round"`
	Scenario   string  `json:"scenario"`
	Variant    string  `json:"variant"`
	Throughput float64 `json:"requestsPerSecond"`
	Micros     float64 `json:"extprocCPUMicrosPerRequest"`
}

// scenarios are in the order in which they were measured.
func (f figures) scenarios() []string {
	var names []string
	for _, c := range f.Cells {
		if !slices.Contains(names, c.Scenario) {
			names = append(names, c.Scenario)
		}
	}
	return names
}

// share is the throughput as a share of the floor's.
func share(f figures, scenario, variant string) float64 {
	return f.ratio(scenario, variant, "floor", func(c cell) float64 { return c.Throughput })
}

// effort is the CPU time as a multiple of noop's.
func effort(f figures, scenario, variant string) float64 {
	return f.ratio(scenario, variant, "noop", func(c cell) float64 { return c.Micros })
}

// ratio is the median of a variant's figure through that of another one in the same
// round.
func (f figures) ratio(scenario, variant, base string, figure func(cell) float64) float64 {
	var ratios []float64
	for _, c := range f.of(scenario, variant) {
		for _, other := range f.of(scenario, base) {
			if other.Round == c.Round && figure(other) > 0 {
				ratios = append(ratios, figure(c)/figure(other))
			}
		}
	}
	return median(ratios)
}

func (f figures) of(scenario, variant string) []cell {
	var found []cell
	for _, c := range f.Cells {
		if c.Scenario == scenario && c.Variant == variant {
			found = append(found, c)
		}
	}
	return found
}

// median is 0 of nothing.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
