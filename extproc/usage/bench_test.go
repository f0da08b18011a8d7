// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"fmt"
	"testing"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

// BenchmarkStream reads a chunk of a stream.
func BenchmarkStream(b *testing.B) {
	const events = 256
	for name, format := range map[string]string{
		"chat":     `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":" w%d"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"%x"}`,
		"response": `{"type":"response.output_text.delta","sequence_number":%d,"item_id":"msg_67c9fdcf37fc8190ba82116e33fb28c5","output_index":0,"content_index":0,"delta":" word","logprobs":[],"obfuscation":"%x"}`,
		"message":  `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" w%d"}%[2]s}`,
	} {
		b.Run(name, func(b *testing.B) {
			var chunks [events][]byte
			for i := range chunks {
				padding := any(i * 12345)
				if name == "message" {
					padding = ""
				}
				chunks[i] = fmt.Appendf(nil, "data: "+format+"\n\n", i, padding)
			}
			var tally usage.Tally
			s := usage.NewStream(&tally, false)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				s.Pass(chunks[i%events])
				i++
			}
		})
	}
}
