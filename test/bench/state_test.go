// SPDX-License-Identifier: Apache-2.0

package main

import (
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

	It("is not mixed with figures of another build", func() {
		s, err := openState(filepath.Join(GinkgoT().TempDir(), "run.json"))
		Expect(err).NotTo(HaveOccurred())
		Expect(s.begin(platform{Binary: "a"})).To(Succeed())
		Expect(s.add([]cell{{1, "x", floor, figures{}}})).To(Succeed())
		Expect(s.begin(platform{Binary: "b"})).To(MatchError(ContainSubstring("another build or machine")))
	})
})
