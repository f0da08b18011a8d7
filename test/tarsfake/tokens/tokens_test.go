// SPDX-License-Identifier: Apache-2.0

package tokens_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

func TestTokens(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/tarsfake/tokens")
}

var _ = Describe("Tokens", func() {
	DescribeTable("by chance keep to their shape and bounds", func(shape tokens.Shape) {
		var sum tokens.Usage
		for range 1000 {
			u := tokens.Random(shape)
			Expect(u.Input).To(And(BeNumerically(">", 0), BeNumerically("<=", 20000)))
			Expect(u.CachedInput + u.CacheCreation).To(And(BeNumerically(">=", 0), BeNumerically("<=", u.Input)))
			Expect(u.Output).To(And(BeNumerically(">=", 0), BeNumerically("<=", 4000)))
			Expect(u.Reasoning).To(And(BeNumerically(">=", 0), BeNumerically("<=", u.Output)))
			sum = sum.Add(u)
		}
		has := tokens.Shape{Output: sum.Output > 0, CacheCreation: sum.CacheCreation > 0, Reasoning: sum.Reasoning > 0}
		Expect(has).To(Equal(shape))
		if shape.Output {
			Expect(sum.CachedInput).To(BeNumerically(">", 0))
		}
	},
		Entry("of an embedding", tokens.Shape{}),
		Entry("of a completion", tokens.Shape{Output: true}),
		Entry("of a chat", tokens.Shape{Output: true, Reasoning: true}),
		Entry("of a message", tokens.Shape{Output: true, CacheCreation: true}),
	)

	It("add up", func() {
		u := tokens.Usage{Input: 1, CachedInput: 2, CacheCreation: 3, Output: 4, Reasoning: 5}
		Expect(u.Add(tokens.Usage{Input: 10, CachedInput: 20, CacheCreation: 30, Output: 40, Reasoning: 50})).To(Equal(
			tokens.Usage{Input: 11, CachedInput: 22, CacheCreation: 33, Output: 44, Reasoning: 55}))
		Expect(u.Total()).To(BeNumerically("==", 5))
	})

	It("are huge where there are any", func() {
		u := tokens.Huge(tokens.Shape{})
		Expect(u.Output).To(BeZero())
		Expect(int64(float64(u.Input))).NotTo(Equal(u.Input))
	})

	It("are read in the order that the README tells", func() {
		u, err := tokens.Parse("10,9,3,2,7")
		Expect(err).NotTo(HaveOccurred())
		Expect(u).To(Equal(tokens.Usage{Input: 10, Output: 9, CachedInput: 3, Reasoning: 2, CacheCreation: 7}))
	})

	DescribeTable("are refused:", func(text, why string) {
		_, err := tokens.Parse(text)
		Expect(err).To(MatchError(ContainSubstring(why)))
	},
		Entry("one count", "1", "is not <input>,<output>"),
		Entry("six counts", "1,2,3,4,5,6", "is not <input>,<output>"),
		Entry("no number", "1,x", "is not a count"),
		Entry("less than none", "1,-1", "is not a count"),
		Entry("more than can be added", "1,4611686018427387904", "is not a count"),
		Entry("more cached than there are", "1,2,2", "cached tokens are part of the input"),
		Entry("more cached and to be cached than there are", "3,0,2,0,2", "cached tokens are part of the input"),
		Entry("more reasoning than output", "1,2,1,3", "reasoning is part of the output"),
	)
})
