// SPDX-License-Identifier: Apache-2.0

package jsonscan_test

import (
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

// measured are documents of one kind each.
func measured() map[string]string {
	prompt := strings.Repeat("The quick brown fox jumps over the lazy dog.\\n", 23000)
	return map[string]string{
		"small":   `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello there"}],"stream":true}`,
		"1MiB":    `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"` + prompt + `"}]}`,
		"escapes": `{"messages":["` + strings.Repeat(`\u4f60\u597d`, 80000) + `"]}`,
		"tokens":  `{"a":[` + strings.Repeat("1234,", 20000) + `1]}`,
	}
}

func BenchmarkScanner(b *testing.B) {
	for name, doc := range measured() {
		b.Run(name, func(b *testing.B) {
			s := jsonscan.New(places, visitorFunc(func(jsonscan.Value) {}))
			text := []byte(doc)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				s.Reset()
				if err := s.Write(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var _ = Describe("A scan", func() {
	for name, doc := range measured() {
		It("allocates nothing: "+name, func() {
			s := jsonscan.New(places, visitorFunc(func(jsonscan.Value) {}))
			text := []byte(doc)
			var err error
			Expect(testing.AllocsPerRun(10, func() {
				s.Reset()
				err = s.Write(text)
			})).To(BeZero())
			Expect(err).NotTo(HaveOccurred())
		})
	}
})
