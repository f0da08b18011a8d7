// SPDX-License-Identifier: Apache-2.0

package jsonscan_test

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

var _ = Describe("Value", func() {
	DescribeTable("Int reads counts",
		func(raw string, want int64, ok bool) {
			n, is := jsonscan.Value{Kind: jsonscan.Number, Raw: []byte(raw)}.Int()
			Expect(is).To(Equal(ok))
			Expect(n).To(Equal(want))
		},
		Entry("zero", "0", int64(0), true),
		Entry("a plain number", "1234", int64(1234), true),
		Entry("with a fraction of nothing", "12.0", int64(12), true),
		Entry("with an exponent", "1e3", int64(1000), true),
		Entry("beyond what a float64 holds", "9007199254740993", int64(1)<<53+1, true),
		Entry("the largest", "1152921504606846976", int64(1)<<60, true),
		Entry("not a larger one", "1152921504606846977", int64(0), false),
		Entry("not one whose last digit goes beyond an int64", "9999999999999999999", int64(0), false),
		Entry("not one that comes round", "18446744073709551617", int64(0), false),
		Entry("not one beyond all", "99999999999999999999999999", int64(0), false),
		Entry("not one beyond float64", "1e999", int64(0), false),
		Entry("not a fraction", "1.5", int64(0), false),
		Entry("not a negative one", "-1", int64(0), false),
	)

	It("reads numbers and strings by their kind only", func() {
		_, ok := jsonscan.Value{Kind: jsonscan.String, Raw: []byte("12")}.Int()
		Expect(ok).To(BeFalse())
		_, ok = jsonscan.Value{Kind: jsonscan.Number, Raw: []byte("12")}.Text()
		Expect(ok).To(BeFalse())
		_, ok = jsonscan.Value{Kind: jsonscan.Number, Raw: []byte("12"), Truncated: true}.Int()
		Expect(ok).To(BeFalse())
		text, ok := jsonscan.Value{Kind: jsonscan.String, Raw: []byte(`"\u0041"`)}.Text()
		Expect(ok).To(BeTrue())
		Expect(text).To(Equal("A"))
	})
})

var _ = DescribeTable("Quote writes what encoding/json reads back",
	func(text string) {
		var got string
		Expect(json.Unmarshal(jsonscan.Quote(text), &got)).To(Succeed())
		Expect(got).To(Equal(text))
	},
	Entry("plain", "xai/grok-4.5"),
	Entry("empty", ""),
	Entry("quotes and backslashes", `a"b\c`),
	Entry("control characters", "a\x00\n\x1fb"),
	Entry("beyond ASCII", "modèle \U0001F600"),
)
