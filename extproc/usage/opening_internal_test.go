// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestOpeningLearns holds that of chunks as providers send them only the text is looked
// at. What they say does not depend on it.
func TestOpeningLearns(t *testing.T) {
	const openAI = `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{%s},"finish_reason":null}],"usage":null}`
	for name, of := range map[string]struct {
		chunk, ending string
		texts         []string // %s of chunks, | between them
	}{
		"a response": {
			`{"type":"response.output_text.delta","sequence_number":%s,"item_id":"m","delta":"%s","logprobs":[],"obfuscation":"%s"}`,
			`","logprobs":[],"obfuscation":"<padding>"}`, []string{`8|a|x`, `9|b|yy`, `10|c|zzz`, `11|d|w`, `12|e|`},
		},
		"a chat": {openAI, `"},"finish_reason":null}],"usage":null}`, []string{
			`"role":"assistant","content":""`, `"content":"Hello"`, `"content":" wor"`, `"content":"ld\n"`, `"content":"!"`,
		}},
		"a chat with reasons, again and again": {openAI, `"},"finish_reason":null}],"usage":null}`, append(slices.Repeat([]string{
			`"role":"assistant","content":""`, `"reasoning_content":"Hm"`, `"reasoning_content":", so"`, `"reasoning_content":" it"`,
			`"content":"Hello"`, `"content":" wor"`, `"content":"ld\n"`,
		}, 2*maxTries), `"content":"!"`)},
		"a chat with padding": {openAI[:len(openAI)-1] + `,"obfuscation":"%s"}`, `"},"finish_reason":null}],"usage":null,"obfuscation":"<padding>"}`, []string{
			`"role":"assistant","content":""|aB`, `"content":"Hello"|c`, `"content":" wor"|DEf`, `"content":"ld\n"|`, `"content":"!"|gh`,
		}},
		"a completion": {`{"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"%s"}]}`, `"}]}`, []string{"Hello", " wor", `ld\n`}},
		"a message":    {`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}`, `"}}`, []string{"Hello", " wor", `ld\n`}},
	} {
		var tally Tally
		s := NewStream(&tally, false)
		for _, text := range of.texts {
			event := "data: " + of.chunk + "\n\n"
			for part := range strings.SplitSeq(text, "|") {
				event = strings.Replace(event, "%s", part, 1)
			}
			s.Pass([]byte(event))
		}
		e := s.doc.opening.ending
		got := string(e.bytes)
		if g := e.gap; g.to > 0 {
			got = got[:g.from] + "<padding>" + got[g.to:]
		}
		if got != of.ending {
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
		return fmt.Appendf(nil, `data: {"type":"response.output_text.delta","sequence_number":%d,"at":%[1]d,"delta":"a"}`+"\n\n", i)
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

// TestOpeningIsSmall holds that a stream keeps little of its events.
func TestOpeningIsSmall(t *testing.T) {
	var tally Tally
	s := NewStream(&tally, false)
	for i := range 5 {
		s.Pass([]byte(`data: {"id":"a long name of nothing","choices":[{"delta":{"content":"` + strings.Repeat("a", i+1) + `"}}],"x":"` + strings.Repeat("y", 1<<20) + "\"}\n\n"))
	}
	o := s.doc.opening
	if !o.inText {
		t.Error("the beginning is not known")
	}
	if n := cap(o.last) + cap(o.known.bytes) + cap(o.ending.bytes); n > 4<<10 {
		t.Errorf("it keeps %d bytes", n)
	}
}
