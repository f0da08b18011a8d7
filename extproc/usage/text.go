// SPDX-License-Identifier: Apache-2.0

package usage

import "github.com/tars-operator/tars-operator/extproc/jsonscan"

// bytesPerToken is what a token is long in English text, by the rule of thumb
// of OpenAI and Anthropic.
const bytesPerToken = 4

// Text is the size of text of which nobody has told the tokens. The zero value
// is none.
type Text struct {
	pieces, bytes int64
}

// Add adds a string, or a number: a prompt may be written as tokens. Another
// value is no text.
func (t *Text) Add(v jsonscan.Value) {
	switch v.Kind {
	case jsonscan.Number:
		t.pieces++
	case jsonscan.String:
		t.add(v.End - v.Start - int64(len(`""`)))
	default: // no text
	}
}

// add adds a string that has so many bytes between its quotes.
func (t *Text) add(size int64) {
	if size > 0 {
		t.pieces++
		t.bytes += size
	}
}

// AddRaw adds a value that a model reads as it is written.
func (t *Text) AddRaw(v jsonscan.Value) {
	t.pieces++
	t.bytes += v.End - v.Start
}

// beside is what of t is not in a part of it.
func (t *Text) beside(part Text) *Text {
	return &Text{pieces: t.pieces - part.pieces, bytes: t.bytes - part.bytes}
}

// Tokens is an estimate: one for four bytes, and at least one a piece, as
// streams tell each token by itself.
func (t *Text) Tokens() int64 {
	return max(t.pieces, (t.bytes+bytesPerToken-1)/bytesPerToken)
}
