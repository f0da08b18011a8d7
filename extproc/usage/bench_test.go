// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

// streams are chunks of one API each.
func streams() map[string][][]byte {
	all := map[string][][]byte{}
	for name, format := range map[string]string{
		"chat":     `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":" w%d"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"%x"}`,
		"response": `{"type":"response.output_text.delta","sequence_number":%d,"item_id":"msg_67c9fdcf37fc8190ba82116e33fb28c5","output_index":0,"content_index":0,"delta":" word","logprobs":[],"obfuscation":"%x"}`,
		"message":  `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" w%d"}%[2]s}`,
	} {
		for i := range 256 {
			padding := any(i * 12345)
			if name == "message" {
				padding = ""
			}
			all[name] = append(all[name], fmt.Appendf(nil, "data: "+format+"\n\n", i, padding))
		}
	}
	return all
}

// BenchmarkStream reads a chunk of a stream.
func BenchmarkStream(b *testing.B) {
	for name, chunks := range streams() {
		b.Run(name, func(b *testing.B) {
			var tally usage.Tally
			s := usage.NewStream(&tally, false)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				s.Pass(chunks[i%len(chunks)])
				i++
			}
		})
	}
}

var _ = Describe("A chunk of a stream", func() {
	for name, chunks := range streams() {
		It("takes no allocation: "+name, func() {
			var tally usage.Tally
			s := usage.NewStream(&tally, false)
			i := 0
			pass := func() {
				s.Pass(chunks[i%len(chunks)])
				i++
			}
			for range 10 { // what is made once
				pass()
			}
			Expect(testing.AllocsPerRun(200, pass)).To(BeZero())
		})
	}
})
