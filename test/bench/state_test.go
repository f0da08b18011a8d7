// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("A run that was interrupted", func() {
	both := []variant{floor, ours}

	It("goes on with what it has, and measures nothing twice", func() {
		path := filepath.Join(GinkgoT().TempDir(), "a", "run.json")
		s, err := openState(path)
		Expect(err).NotTo(HaveOccurred())
		Expect(s.begin(platform{Date: "monday", Commit: "c"})).To(Succeed())
		Expect(s.add([]cell{{1, "x", floor, figures{Requests: 1}}, {1, "x", ours, figures{Requests: 2}}})).To(Succeed())

		s, err = openState(path)
		Expect(err).NotTo(HaveOccurred())
		Expect(s.begin(platform{Date: "tuesday", Commit: "c"})).To(Succeed())
		Expect(s.results.Platform.Date).To(Equal("monday"))
		Expect(s.has(1, "x", both)).To(BeTrue())
		Expect(s.has(2, "x", both)).To(BeFalse())
		Expect(s.has(1, "x", append(both, before))).To(BeFalse())
		Expect(s.add([]cell{{1, "x", ours, figures{Requests: 3}}})).To(Succeed())
		Expect(s.results.rounds("x", ours)).To(Equal(map[int]figures{1: {Requests: 3}}))
		Expect(s.results.Cells).To(HaveLen(2))
	})

	It("keeps what was thrown away, and measures all variants again", func() {
		s, err := openState(filepath.Join(GinkgoT().TempDir(), "run.json"))
		Expect(err).NotTo(HaveOccurred())
		var measured []variant
		p := &plan{state: s, measure: func(s *stage, _ context.Context, _ scenario, _ window) (figures, string, error) {
			measured = append(measured, s.variant)
			if len(measured) == 2 {
				return figures{}, "a token too few", nil
			}
			return figures{Requests: len(measured)}, "", nil
		}}
		stages := []*stage{{variant: floor}, {variant: ours}}
		Expect(p.scenario(context.Background(), 1, scenario{Name: "x"}, stages)).To(Succeed())
		Expect(measured).To(Equal([]variant{floor, ours, floor, ours}))
		kept, err := openState(s.path)
		Expect(err).NotTo(HaveOccurred())
		Expect(kept.results.Cells).To(Equal([]cell{{1, "x", floor, figures{Requests: 3}}, {1, "x", ours, figures{Requests: 4}}}))
		Expect(kept.results.Void).To(Equal([]voided{{1, "x", ours, "a token too few"}}))

		p.measure = func(*stage, context.Context, scenario, window) (figures, string, error) {
			return figures{}, "again", nil
		}
		Expect(p.scenario(context.Background(), 2, scenario{Name: "x"}, stages)).To(MatchError(ContainSubstring("void 3 times")))
		kept, err = openState(s.path)
		Expect(err).NotTo(HaveOccurred())
		Expect(kept.results.Void).To(HaveLen(4))
		Expect(kept.results.Cells).To(HaveLen(2))
	})

	It("begins with another variant in turn", func() {
		stages := []*stage{{variant: floor}, {variant: noops}, {variant: ours}}
		var first []variant
		for by := range 4 {
			first = append(first, turned(stages, by)[0].variant)
		}
		Expect(first).To(Equal([]variant{floor, noops, ours, floor}))
		Expect(turned(stages, 1)).To(HaveLen(3))
	})

	It("is not mixed with figures of another build", func() {
		s, err := openState(filepath.Join(GinkgoT().TempDir(), "run.json"))
		Expect(err).NotTo(HaveOccurred())
		Expect(s.begin(platform{Binary: "a"})).To(Succeed())
		Expect(s.add([]cell{{1, "x", floor, figures{}}})).To(Succeed())
		Expect(s.begin(platform{Binary: "a", Bench: "b"})).To(MatchError(ContainSubstring("another build or machine")))
		Expect(s.begin(platform{Binary: "b"})).To(MatchError(ContainSubstring("another build or machine")))
	})
})
