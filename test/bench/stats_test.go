// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// twoRounds has a machine that was half as fast in its second round.
func twoRounds() results {
	at := func(round int, v variant, throughput, p50 float64) cell {
		return cell{round, "100 B, 1 client", v, figures{Throughput: throughput, P50: p50, ProcMicros: 60}}
	}
	return results{Platform: platform{Date: "2026-01-02"}, Cells: []cell{
		at(1, floor, 1000, 1), at(1, ours, 400, 2.5), at(2, ours, 200, 5), at(2, floor, 500, 2), at(3, ours, 1, 99),
	}}
}

var _ = Describe("Figures", func() {
	It("are medians with what they were between", func() {
		Expect(over([]float64{3, 1, 2})).To(Equal(spread{2, 1, 3}))
		Expect(over([]float64{4, 1, 2, 3})).To(Equal(spread{2.5, 1, 4}))
	})

	It("are compared with the floor of their own round, and no other", func() {
		Expect(twoRounds().against("100 B, 1 client", ours, share)).To(Equal(spread{0.4, 0.4, 0.4}))
	})

	It("have percentiles", func() {
		var times []time.Duration
		for n := 100; n > 0; n-- {
			times = append(times, time.Duration(n)*time.Millisecond)
		}
		p50, p99 := quantiles(times)
		Expect([]float64{p50, p99}).To(Equal([]float64{50, 99}))
		p50, p99 = quantiles(times[:37])
		Expect([]float64{p50, p99}).To(Equal([]float64{19, 37}))
		p50, p99 = quantiles(nil)
		Expect([]float64{p50, p99}).To(Equal([]float64{0, 0}))
	})

	It("fill the page's table, again and again", func() {
		page := "before\n" + tableBegin + "old\n" + tableEnd + "after\n"
		once, err := fill(page, twoRounds())
		Expect(err).NotTo(HaveOccurred())
		Expect(once).To(And(HavePrefix("before\n"), HaveSuffix("after\n"), Not(ContainSubstring("old")),
			ContainSubstring("| 100 B, 1 client | ours | 200 (1 to 400) | 0.40 (0.40 to 0.40) | 2.25 (1.50 to 3.00) |")))
		Expect(fill(once, twoRounds())).To(Equal(once))
		_, err = fill("no marks", twoRounds())
		Expect(err).To(MatchError(ContainSubstring("marks")))
	})
})
