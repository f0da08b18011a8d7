// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"testing"
)

// TestOpeningLearns holds that of chunks as providers send them only the text is looked
// at. What they say does not depend on it.
func TestOpeningLearns(t *testing.T) {
	for chunk, want := range map[string]string{
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}],"usage":null}`: `"},"finish_reason":null}],"usage":null}`,
		`{"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"%s"}]}`:                                                      `"}]}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}`:                                                                     `"}}`,
	} {
		var tally Tally
		s := NewStream(&tally, false)
		for i, text := range []string{"Hello", " wor", `ld\n`, "!"} {
			s.Pass(fmt.Appendf(nil, "data: "+chunk+"\n\n", text))
			if got := string(s.doc.opening.ending.bytes); i >= 2 && got != want {
				t.Errorf("after %d chunks it knows the ending %q, not %q", i+1, got, want)
			}
		}
	}
}
