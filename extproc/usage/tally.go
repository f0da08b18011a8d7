// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"strings"
	"unicode/utf8"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

// maxModel is the longest model name that is believed, in bytes.
const maxModel = 256

// Failure is what an answer says about its error. The provider's message is
// not kept: it may quote the prompt.
type Failure struct {
	// Code is error.code as text; providers send numbers and strings.
	Code string
	// Type is error.type.
	Type string
}

// Tally is what an answer has said about itself so far.
type Tally struct {
	// InputOnly is set where the model writes nothing: then what it has read is all.
	InputOnly bool

	numbers  numbers
	final    bool // they are not only what was known when the answer began
	whole    bool // nothing more comes
	written  Text
	covered  Text // what of it had been written when they were told
	model    string
	rawModel []byte
	failure  *Failure
}

// Counts returns the tokens that the provider has told so far. They are known while
// nothing has been written that they do not cover: a provider may tell them once at the
// begin, and again at the end.
func (t *Tally) Counts() Counts {
	if !t.Told() {
		return Counts{}
	}
	c := t.own()
	c.add(t.numbers.hosted())
	return c
}

// own are those of the model, without the provider's tools.
func (t *Tally) own() Counts {
	n := t.numbers
	if t.InputOnly {
		n.endInput()
	}
	c := n.own()
	c.Known = c.Known && (t.covered == t.written || (t.final && t.whole)) && (t.final || t.whole)
	return c
}

// tell takes numbers that an answer tells. Those that know of no output cover none.
func (t *Tally) tell(n *numbers, final bool) {
	t.numbers.merge(n)
	t.final = t.final || final
	if final && n.own().Output > 0 {
		t.covered = t.written
	}
}

// Estimate returns what a request costs by what is known of it while the
// provider has not told: of the prompt as many tokens as prompt says, unless
// the provider has told those already, and of the answer what has come of it
// beside what the provider has told.
func (t *Tally) Estimate(prompt int64) Counts {
	told := t.own()
	c := Counts{Estimated: true, Input: prompt, Output: max(told.Output, t.written.Tokens())}
	if t.final {
		c.Output = told.Output + t.written.beside(t.covered).Tokens()
	}
	if told.Input > 0 {
		c.Input = told.Input
	}
	c.Total = max(c.Input+c.Output, told.Total)
	c.Input = c.Total - c.Output // of a total alone nobody knows the parts
	c.add(t.numbers.hosted())
	return c
}

// Told tells whether the provider has told a part of what the answer costs.
func (t *Tally) Told() bool { return t.numbers.known }

// Begun tells whether a model has begun to answer.
func (t *Tally) Begun() bool { return t.numbers.known || t.written.pieces > 0 }

// Whole tells that the answer came to its end. Unless that is an error, what
// the provider has told is all that it tells.
func (t *Tally) Whole() { t.whole = t.failure == nil }

// Model is the model that answered, empty while unknown.
func (t *Tally) Model() string { return t.model }

// Failure is the first error that the answer held, nil without one.
func (t *Tally) Failure() *Failure { return t.failure }

func (t *Tally) setModel(raw []byte) {
	t.rawModel = append(t.rawModel[:0], raw...)
	if name := jsonscan.Unquote(raw[1 : len(raw)-1]); CleanName(name) {
		t.model = name
	}
}

func (t *Tally) setFailure(f Failure) {
	if t.failure == nil {
		t.failure = &f
	}
}

// CleanName tells whether a model's name is fit for headers, labels and
// messages: not empty, at most 256 bytes of UTF-8, no control characters, no
// space at an end.
func CleanName(name string) bool {
	return name != "" && len(name) <= maxModel && utf8.ValidString(name) &&
		strings.TrimSpace(name) == name &&
		strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) < 0
}
