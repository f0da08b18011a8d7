// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"slices"
	"testing"
)

// TestOpeningLearns holds that of chunks as providers send them only the text is looked
// at. What they say does not depend on it.
func TestOpeningLearns(t *testing.T) {
	const openAI = `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{%s},"finish_reason":null}],"usage":null}`
	for name, of := range map[string]struct {
		chunk, ending string
		texts         []string // %s of chunks
	}{
		"a chat": {openAI, `"},"finish_reason":null}],"usage":null}`, []string{
			`"role":"assistant","content":""`, `"content":"Hello"`, `"content":" wor"`, `"content":"ld\n"`, `"content":"!"`,
		}},
		"a chat with reasons, again and again": {openAI, `"},"finish_reason":null}],"usage":null}`, append(slices.Repeat([]string{
			`"role":"assistant","content":""`, `"reasoning_content":"Hm"`, `"reasoning_content":", so"`, `"reasoning_content":" it"`,
			`"content":"Hello"`, `"content":" wor"`, `"content":"ld\n"`,
		}, 2*maxTries), `"content":"!"`)},
		"a completion": {`{"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"%s"}]}`, `"}]}`, []string{"Hello", " wor", `ld\n`}},
		"a message":    {`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}`, `"}}`, []string{"Hello", " wor", `ld\n`}},
	} {
		var tally Tally
		s := NewStream(&tally, false)
		for _, text := range of.texts {
			s.Pass(fmt.Appendf(nil, "data: "+of.chunk+"\n\n", text))
		}
		if got := string(s.doc.opening.ending.bytes); got != of.ending {
			t.Errorf("%s: it knows the ending %q, not %q", name, got, of.ending)
		}
	}
}

// TestOpeningTries holds that a stream whose events never begin alike up to a text is not
// compared for ever.
func TestOpeningTries(t *testing.T) {
	var tally Tally
	s := NewStream(&tally, false)
	event := func(i int) []byte {
		return fmt.Appendf(nil, `data: {"type":"response.output_text.delta","sequence_number":%d,"delta":"a"}`+"\n\n", i)
	}
	for i := range 10 + maxTries {
		s.Pass(event(i))
	}
	last := string(s.doc.opening.last)
	s.Pass(event(1000))
	if string(s.doc.opening.last) != last {
		t.Errorf("it compares on, with %q", s.doc.opening.last)
	}
}
