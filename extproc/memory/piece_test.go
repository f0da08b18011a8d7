// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/memory"
)

const piece = 33_000 // a little more than what Envoy reads at once

// distinct is the number of different memories among n pieces, of which each is used
// before the next is taken.
func distinct(n int, use func(p []byte)) int {
	seen := map[*byte]bool{}
	for range n {
		p := append(memory.Take(piece), make([]byte, piece)...)
		seen[&p[0]] = true
		use(p)
	}
	return len(seen)
}

var _ = Describe("Memory of pieces", func() {
	const n = 50

	It("is empty, and has the room that was asked for", func() {
		for _, size := range []int{0, 1, 10_000, 16 << 10, piece, 40 << 10, 40<<10 + 1, 1 << 20} {
			p := memory.Take(size)
			Expect(p).To(BeEmpty())
			Expect(cap(p)).To(BeNumerically(">=", size))
		}
		Expect(memory.Take(10_000)).To(HaveCap(10_000), "no more than the budget counts")
	})

	It("is used again, once it was given back", func() {
		Expect(distinct(n, memory.Recycle)).To(BeNumerically("<", n))
	})

	It("is of one size", func() {
		great := make([]byte, 1<<20)
		Expect(distinct(n, func([]byte) {
			memory.Recycle(great)
			Expect(&memory.Take(piece)[:1][0]).NotTo(BeIdenticalTo(&great[0]))
		})).To(BeNumerically(">", 0))
	})

	It("is used again after a buffer that was read, or given up", func() {
		budget := memory.NewBudget(1 << 20)
		Expect(distinct(n, func(p []byte) {
			b := memory.NewBuffer(budget)
			Expect(b.Append(p, p)).To(Succeed())
			Expect(b.Next()).To(HaveLen(piece))
			Expect(b.Next()).To(BeNil())
		})).To(BeNumerically("<", n), "read")
		Expect(distinct(n, func(p []byte) {
			b := memory.NewBuffer(budget)
			Expect(b.Append(p, p)).To(Succeed())
			b.Release()
			b.Release()
		})).To(BeNumerically("<", n), "given up")
		Expect(distinct(n, func(p []byte) {
			b := memory.NewBuffer(budget)
			Expect(b.Append(p, p)).To(Succeed())
			Expect(b.Next()).To(HaveLen(piece))
			b.Release()
		})).To(BeNumerically("<", n), "given up while it was read")
	})

	It("is used again after what was in it has gone into another block", func() {
		b := memory.NewBuffer(memory.NewBudget(10 << 20))
		Expect(distinct(n, func(p []byte) { Expect(b.Append(p[:100], p)).To(Succeed()) })).To(BeNumerically("<", n))
		Expect(drain(b)).To(HaveLen(100 * n))
	})

	It("is used again where a buffer would keep much that the budget does not count", func() {
		b := memory.NewBuffer(memory.NewBudget(10 << 20))
		const kept = 25_000
		Expect(distinct(n, func(p []byte) { Expect(b.Append(p[13:kept+13], p)).To(Succeed()) })).To(BeNumerically("<", n))
		Expect(drain(b)).To(Equal(make([]byte, n*kept)))
	})

	It("is not used again while a buffer holds it, nor where it is not whole", func() {
		b := memory.NewBuffer(memory.NewBudget(10 << 20))
		Expect(distinct(n, func(p []byte) {
			Expect(b.Append(p, p)).To(Succeed())
			memory.Recycle(p[:1:10])
			memory.Recycle(p[1:])
			memory.Recycle(nil)
		})).To(Equal(n))
		for range n {
			Expect(b.Next()).To(HaveLen(piece))
			Expect(distinct(1, memory.Recycle)).To(Equal(1))
		}
	})
})
