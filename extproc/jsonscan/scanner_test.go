// SPDX-License-Identifier: Apache-2.0

package jsonscan_test

import (
	"encoding/json"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

// validity holds documents at the edges of the grammar; encoding/json is the
// judge of each.
var validity = []string{
	``, ` `, `{}`, `[]`, `{`, `}`, `[`, `]`, `{]`, `[}`, `{}}`, `[[]]`, `[{}]`, `[[]`, `{}{}`, `{} x`, "{}\n\t\r ",
	`{"a":1}`, `{"a":1,}`, `{,"a":1}`, `{"a"}`, `{"a":}`, `{"a" 1}`, `{"a"::1}`, `{"a":1 "b":2}`, `{a:1}`, `{1:2}`, `{"a":1,,"b":2}`,
	`[1,2]`, `[1,]`, `[,1]`, `[1 2]`, `[1:2]`, `[:]`, `{"a":[}`, `["a":1]`, `:`, `,`, `"a"`, `"a`, `"a""b"`, `"a":1`,
	`0`, `-0`, `-`, `01`, `1.`, `.1`, `1.5`, `1.5.5`, `1e5`, `1E+5`, `1e-5`, `1e`, `1e+`, `1e5.5`, `-1`, `--1`, `+1`, `1-1`, `0e1`, `00`, `-a`, `1a`, `0x1`, `10 `,
	`true`, `false`, `null`, `tru`, `trueX`, `True`, `nul`, `falsee`, `nan`, `[true,false,null]`, `[truefalse]`,
	`"\n\t\"\\\/\b\f\r"`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\u1234"`, `"\ud83d\ude00"`, `"\ud800"`, `"\"`, "\"\n\"", "\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"\xff\"", `{"\u0061":1}`, `{"a\`,
	`{"a":"b"}x`, "\xef\xbb\xbf{}", `[1,2,{"a":[null,{"b":"c"}]}]`, "{\"a\"\n:\t1\r}", `{"":""}`, `"` + strings.Repeat("long ", 50) + `"`,
	strings.Repeat("[", 10000) + strings.Repeat("]", 10000), strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
	strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100),
}

var _ = Describe("Scanner", func() {
	It("accepts what encoding/json accepts, however the text is cut", func() {
		for _, doc := range validity {
			for _, size := range []int{0, 1, 2, 3, 7} {
				if _, err := scan(inPieces(doc, size)...); json.Valid([]byte(doc)) {
					Expect(err).NotTo(HaveOccurred(), "%.60q in pieces of %d", doc, size)
				} else {
					Expect(err).To(HaveOccurred(), "%.60q in pieces of %d", doc, size)
				}
			}
		}
	})

	It("finds what ends a text, and what must not stand in it, at any place", func() {
		for before := range 70 {
			for _, special := range []string{`"`, `\`, "\x00", "\x1f", `\u0041`, "\x7f", "\xff", " ", "#", "!", "]", "["} {
				for _, after := range []int{0, 40} {
					doc := `{"data":"` + strings.Repeat("x", before) + special + strings.Repeat("y", after) + `"}`
					_, err := scan([]byte(doc))
					Expect(err == nil).To(Equal(json.Valid([]byte(doc))), "%q", doc)
				}
			}
		}
	})

	DescribeTable("reports the watched places",
		func(doc string, want ...string) {
			for size := range len(doc) + 1 {
				Expect(scan(inPieces(doc, size)...)).To(Equal(want), "pieces of %d", size)
			}
		},
		Entry("a string", `{"model":"gpt"}`, `2 string [9,14) raw="gpt"`, `1 object [0,15)`),
		Entry("white space around", " { \"model\" :\t\"g\" } ", `2 string [13,16) raw="g"`, `1 object [1,18)`),
		Entry("an escaped key", `{"mod\u0065l":"g"}`, `2 string [14,17) raw="g"`, `1 object [0,18)`),
		Entry("a key in another case", `{"MODEL":1}`, `2 number [9,10) folded raw=1`, `1 object [0,11)`),
		Entry("the first and the last letter in another case", `{"AZ":1,"@z":1,"a[":1}`, `8 number [6,7) folded raw=1`, `1 object [0,22)`),
		Entry("an e with an accent is no e", `{"mod\u00e9l":1}`, `1 object [0,16)`),
		Entry("another word is another word", `{"models":1,"mode":1,"amodel":1,"":1}`, `1 object [0,37)`),
		Entry("a letter that Unicode folds into one of ours", `{"ẛtream_options":0,"ſtream_options":null}`, `3 null [40,44) folded raw=null`, `1 object [0,45)`),
		Entry("bytes that are no UTF-8", "{\"mod\xffel\":1}", `2 number [10,11) folded raw=1`, `1 object [0,12)`),
		Entry("half a pair", `{"model\ud800":1}`, `2 number [15,16) folded raw=1`, `1 object [0,17)`),
		Entry("what cannot be seen", "{\"\ufeffmo\u200bdel \x7f\":1}", `2 number [17,18) folded raw=1`, `1 object [0,19)`),
		Entry("what is behind a NUL", `{"MODEL\u0000rest":1}`, `2 number [19,20) folded raw=1`, `1 object [0,21)`),
		Entry("much that cannot be seen before it", `{"`+strings.Repeat(" ", 600)+`model":1}`, `2 number [609,610) folded raw=1`, `1 object [0,611)`),
		Entry("much that is no UTF-8 inside", `{"mo`+strings.Repeat("\xff", 600)+`del":1}`, `2 number [609,610) folded raw=1`, `1 object [0,611)`),
		Entry("a long key that begins otherwise", `{"mo`+strings.Repeat(" ", 600)+`x`+strings.Repeat("y", 600)+`":1,"m`+strings.Repeat("z", 600)+`":1}`,
			`2 number [1207,1208) folded raw=1`, `1 object [0,1815)`),
		Entry("a NUL in a long key", `{"mod\u0000el`+strings.Repeat(" ", 600)+`":1}`, `1 object [0,617)`),
		Entry("a long tail behind a NUL", `{"model\u0000`+strings.Repeat("x", 600)+`":1}`, `2 number [615,616) folded raw=1`, `1 object [0,617)`),
		Entry("a tail of escapes, one of them cut in front of its letter", `{"  model`+strings.Repeat(`\u200b`, 100)+`":1}`, `2 number [611,612) folded raw=1`, `1 object [0,613)`),
		Entry("a tail of escapes, one of them cut", `{"model`+strings.Repeat(`\u200b`, 100)+`":1}`, `2 number [609,610) folded raw=1`, `1 object [0,611)`),
		Entry("twice", `{"model":1,"model":true}`, `2 number [9,10) raw=1`, `2 true [19,23) raw=true`, `1 object [0,24)`),
		Entry("not nested ones", `{"a":{"model":"x"},"b":[{"model":"y"}]}`, `1 object [0,39)`),
		Entry("not in a value of the same name", `{"model":{"model":"x"}}`, `2 object [9,22)`, `1 object [0,23)`),
		Entry("a nested place", `{"stream_options":{"x":1,"include_usage":false}}`,
			`4 false [41,46) raw=false`, `3 object [18,47)`, `1 object [0,48)`),
		Entry("an empty object", `{"stream_options":{ }}`, `3 object [18,21) empty`, `1 object [0,22)`),
		Entry("null in place of an object", `{"stream_options":null}`, `3 null [18,22) raw=null`, `1 object [0,23)`),
		Entry("the elements of an array", `{"data":[{"id":"a"},1,{"id":"b"}]}`,
			`7 string [15,18) raw="a"`, `6 object [9,19)`, `6 number [20,21) raw=1`,
			`7 string [28,31) raw="b"`, `6 object [22,32)`, `5 array [8,33)`, `1 object [0,34)`),
		Entry("an empty array", `{"data":[]}`, `5 array [8,10) empty`, `1 object [0,11)`),
		Entry("an array of arrays", `{"data":[[]]}`, `6 array [9,11) empty`, `5 array [8,12)`, `1 object [0,13)`),
		Entry("a number that ends the document", `12`, `1 number [0,2) raw=12`),
		Entry("a string with escapes", `{"model":"\u0041\"\\"}`, `2 string [9,21) raw="\u0041\"\\"`, `1 object [0,22)`),
	)

	It("cuts long scalars and skips keys that are too long to be any of ours", func() {
		doc := `{"model":"` + strings.Repeat("x", 2*jsonscan.MaxRaw) + `","` + strings.Repeat("m", 600) + `":1}`
		var got []jsonscan.Value
		s := jsonscan.New(places, visitorFunc(func(v jsonscan.Value) {
			v.Raw = append([]byte(nil), v.Raw...)
			got = append(got, v)
		}))
		Expect(s.Write([]byte(doc))).To(Succeed())
		Expect(s.Close()).To(Succeed())
		Expect(got).To(HaveLen(2))
		Expect(got[0].Truncated).To(BeTrue())
		Expect(got[0].Raw).To(HaveLen(jsonscan.MaxRaw))
		Expect(got[0].End).To(BeEquivalentTo(9 + 2 + 2*jsonscan.MaxRaw))
		_, ok := got[0].Text()
		Expect(ok).To(BeFalse())
	})

	It("says where a text stops being JSON, and goes on saying so", func() {
		s := jsonscan.New(nil, visitorFunc(func(jsonscan.Value) {}))
		Expect(s.Write([]byte(`{"a":`))).To(Succeed())
		err := s.Write([]byte(` x}`))
		Expect(err).To(MatchError("unexpected character at byte 6"))
		Expect(s.Write([]byte(`1`))).To(MatchError(err))
		Expect(s.Close()).To(MatchError(err))
	})

	It("reads document after document after Reset", func() {
		r := &recorder{doc: []byte(`{"model":"a"}`)}
		s := jsonscan.New(places, r)
		for range 3 {
			s.Reset()
			Expect(s.Write([]byte(`[1,{"x`))).To(Succeed())
			Expect(s.Close()).To(MatchError(jsonscan.ErrIncomplete))
			s.Reset()
			Expect(s.Write(r.doc)).To(Succeed())
			Expect(s.Close()).To(Succeed())
		}
		Expect(r.lines).To(HaveLen(6))
	})
})

type visitorFunc func(jsonscan.Value)

func (f visitorFunc) Visit(v jsonscan.Value) { f(v) }
