// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"slices"
)

// spread is a figure over rounds.
type spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// over is the spread of some values; that of none is all NaN.
func over(values []float64) spread {
	if len(values) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + median) / 2
	}
	return spread{Median: median, Least: sorted[0], Most: sorted[len(sorted)-1]}
}

// rounds are the figures of one scenario and variant, by round.
func (r results) rounds(scenario string, v variant) map[int]figures {
	found := map[int]figures{}
	for _, c := range r.Cells {
		if c.Scenario == scenario && c.Variant == v {
			found[c.Round] = c.figures
		}
	}
	return found
}

// of is a figure of a variant over the rounds.
func (r results) of(scenario string, v variant, figure func(figures) float64) spread {
	rounds := r.rounds(scenario, v)
	values := make([]float64, 0, len(rounds))
	for _, f := range rounds {
		values = append(values, figure(f))
	}
	return over(values)
}

// against compares a variant with the floor of the same round.
func (r results) against(scenario string, v variant, compare func(f, floor figures) float64) spread {
	floors := r.rounds(scenario, floor)
	var values []float64
	for round, f := range r.rounds(scenario, v) {
		if base, ok := floors[round]; ok {
			values = append(values, compare(f, base))
		}
	}
	return over(values)
}

// share is the throughput as a share of the floor's.
func share(f, floor figures) float64 { return f.Throughput / floor.Throughput }
