// SPDX-License-Identifier: Apache-2.0

package jsonscan_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

// scanLenient is scan by a lenient scanner, which is used for a second document, too.
func scanLenient(pieces ...[]byte) (lines []string, err error) {
	r := &recorder{}
	for _, piece := range pieces {
		r.doc = append(r.doc, piece...)
	}
	s := jsonscan.NewLenient(places, r)
	for range 2 {
		s.Reset()
		r.lines, err = nil, nil
		for _, piece := range pieces {
			err = s.Write(piece)
		}
		if err == nil {
			err = s.Close()
		}
	}
	return r.lines, err
}

var _ = Describe("A lenient scanner", func() {
	It("reports of JSON what another does", func() {
		for _, doc := range validity {
			lines, err := scan([]byte(doc))
			if err != nil {
				continue
			}
			Expect(scanLenient([]byte(doc))).To(Equal(lines), "%.60q", doc)
		}
	})

	DescribeTable("takes what is no JSON and clients take, however the text is cut",
		func(doc string, want ...string) {
			_, err := scan([]byte(doc))
			Expect(err).To(HaveOccurred())
			for size := range len(doc) + 1 {
				Expect(scanLenient(inPieces(doc, size)...)).To(Equal(want), "pieces of %d", size)
			}
		},
		Entry("a byte order mark", "\xef\xbb\xbf{\"model\":1}", "2 number [12,13) raw=1", "1 object [3,14)"),
		Entry("a byte order mark and white space", "\xef\xbb\xbf \n[]", "1 array [5,7) empty"),
		Entry("not a number", `{"model":NaN,"x":[NaN]}`, "2 number [9,12) raw=NaN", "1 object [0,23)"),
		Entry("infinity", `{"model":Infinity}`, "2 number [9,17) raw=Infinity", "1 object [0,18)"),
		Entry("less than everything", `{"x":[-Infinity,-1],"model":-Infinity}`, "2 number [28,37) raw=-Infinity", "1 object [0,38)"),
		Entry("as the document", `NaN`, "1 number [0,3) raw=NaN"),
	)

	DescribeTable("refuses the rest",
		func(doc string) {
			for size := range len(doc) + 1 {
				_, err := scanLenient(inPieces(doc, size)...)
				Expect(err).To(HaveOccurred(), "pieces of %d", size)
			}
		},
		Entry("half a byte order mark", "\xef\xbb{}"),
		Entry("a byte order mark alone", "\xef\xbb\xbf"),
		Entry("two", "\xef\xbb\xbf\xef\xbb\xbf{}"),
		Entry("one later", " \xef\xbb\xbf{}"),
		Entry("one within", "[\xef\xbb\xbf1]"),
		Entry("another case", `nan`),
		Entry("a number that is not one", `-NaN`),
		Entry("more than infinity", `Infinityy`),
		Entry("a part of infinity", `[-Inf]`),
		Entry("two signs", `--Infinity`),
		Entry("after a digit", `1Infinity`),
		Entry("as a key", `{NaN:1}`),
		Entry("behind another value", `{"a":1 NaN}`),
	)
})
