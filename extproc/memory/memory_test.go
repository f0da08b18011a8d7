// SPDX-License-Identifier: Apache-2.0

package memory_test

import (
	"bytes"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/memory"
)

func TestMemory(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/memory")
}

func drain(b *memory.Buffer) []byte {
	var all []byte
	for p := b.Next(); p != nil; p = b.Next() {
		all = append(all, p...)
	}
	return all
}

var _ = Describe("Buffer", func() {
	It("returns what was appended and gives the bytes back", func() {
		budget := memory.NewBudget(1 << 20)
		b := memory.NewBuffer(budget)
		var want []byte
		for i, size := range []int{1, 0, 5, 9000, 3, 70000, 8191, 8192, 1} {
			piece := bytes.Repeat([]byte{byte('a' + i)}, size)
			want = append(want, piece...)
			Expect(b.Append(piece, nil)).To(Succeed())
		}
		Expect(b.Size()).To(BeEquivalentTo(len(want)))
		Expect(budget.Held()).To(BeNumerically(">=", len(want)))
		Expect(b.Bytes()).To(Equal(want))
		Expect(drain(b)).To(Equal(want))
		Expect(budget.Held()).To(BeZero())
		Expect(b.Size()).To(BeZero())
	})

	It("takes of the budget what is read, and gives back as much with it", func() {
		budget := memory.NewBudget(1 << 20)
		b := memory.NewBuffer(budget)
		Expect(b.Append(make([]byte, 10_000, 20_000), nil)).To(Succeed())
		Expect(budget.Held()).To(BeEquivalentTo(10_064))
		p := memory.Take(17_000)[:17_000]
		Expect(b.Append(p, p)).To(Succeed())
		Expect(budget.Held()).To(BeEquivalentTo(10_064 + 17_064))
		Expect(drain(b)).To(HaveLen(27_000))
		Expect(budget.Held()).To(BeZero())
	})

	It("gathers tiny pieces, so that they cost little more than their bytes", func() {
		budget := memory.NewBudget(1 << 20)
		b := memory.NewBuffer(budget)
		for range 100_000 {
			Expect(b.Append([]byte{'x'}, nil)).To(Succeed())
		}
		Expect(budget.Held()).To(BeNumerically("<", 120_000))
		Expect(drain(b)).To(HaveLen(100_000))
	})

	It("takes little more than the bytes of tiny pieces between great ones", func() {
		budget := memory.NewBudget(64 << 20)
		b := memory.NewBuffer(budget)
		for i := range 500 {
			Expect(b.Append(make([]byte, 32<<10), nil)).To(Succeed())
			for range i % 3 {
				Expect(b.Append(make([]byte, 200), nil)).To(Succeed())
			}
		}
		Expect(budget.Held()).To(BeNumerically("<", b.Size()*102/100))
	})

	It("does not write into memory behind a piece it was given", func() {
		backing := []byte("aaaaaaaaaa")
		b := memory.NewBuffer(memory.NewBudget(1 << 20))
		big := append(bytes.Repeat([]byte{'x'}, 10_000), backing...)
		Expect(b.Append(big[:10_000], nil)).To(Succeed())
		Expect(b.Append([]byte("zz"), nil)).To(Succeed())
		Expect(string(big[10_000:])).To(Equal("aaaaaaaaaa"))
	})

	It("refuses what the budget does not hold, and works again once there is room", func() {
		budget := memory.NewBudget(100_000)
		first, second := memory.NewBuffer(budget), memory.NewBuffer(budget)
		Expect(first.Append(make([]byte, 60_000), nil)).To(Succeed())
		held := budget.Held()
		Expect(second.Append(make([]byte, 60_000), nil)).To(MatchError(memory.ErrExhausted))
		Expect(budget.Held()).To(Equal(held))
		Expect(second.Size()).To(BeZero())
		first.Release()
		first.Release()
		Expect(budget.Held()).To(BeZero())
		Expect(second.Append(make([]byte, 60_000), nil)).To(Succeed())
		Expect(budget.Limit()).To(BeEquivalentTo(100_000))
	})

	It("gives each piece back when the next is asked for, and the rest when it is given up", func() {
		budget := memory.NewBudget(1 << 20)
		b := memory.NewBuffer(budget)
		for range 3 {
			Expect(b.Append(make([]byte, 10_000), nil)).To(Succeed())
		}
		whole := budget.Held()
		Expect(b.Next()).To(HaveLen(10_000))
		Expect(budget.Held()).To(Equal(whole), "it is still in use")
		Expect(b.Next()).To(HaveLen(10_000))
		Expect(budget.Held()).To(Equal(whole / 3 * 2))
		b.Release()
		Expect(budget.Held()).To(BeZero())
		Expect(b.Next()).To(BeNil())
		Expect(budget.Held()).To(BeZero())
	})
})
