// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"bytes"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

const (
	// maxOpening is how much of a document's beginning is compared with that of the
	// next, in bytes: a chunk of a chat has some 200 bytes before its text.
	maxOpening = 512
	// minOpening is the shortest beginning that is worth remembering, in bytes.
	minOpening = 32
	// maxEnding is the longest that is remembered, in bytes: a chunk of a chat has some 100
	// behind its text.
	maxEnding = 1 << 10
	// maxTries is how many documents may show that they begin alike up to the text,
	// after one that did not: the first chunk of a chat tells the role before it.
	maxTries = 4
)

// opening is how the documents of a stream begin, and end. Chunks differ in little but
// what the model wrote, and stand in their thousands after each other: what the scanner
// makes of a beginning that has been seen is remembered, in place of scanning it again,
// and so is what it makes of all that follows the text.
type opening struct {
	last   []byte // the beginning of the last document that was compared
	text   int    // where in it the first text begins that the model wrote; 0 for nowhere
	quoted bool   // that is a string
	noting bool   // it is the one that is being scanned
	texts  int    // how many texts there were
	known  known  // a beginning
	inText bool   // which ends behind the quote that a text begins with
	tries  int    // how often a known beginning that does not was compared again
	ending known  // and what followed on that text, from its last quote on
	ahead  bool   // the document has read that, and its scanner has not been told

	gap     gap   // of the part that is being scanned
	watched int64 // where in the document the value begins that it is in
}

// open reads the first piece of a document, mostly the whole of it.
func (d *document) open(p []byte) {
	o := d.opening
	n, ok := o.known.begins(p)
	switch {
	case !ok:
		o.tries = 0
	case o.inText || o.tries == maxTries:
		d.openKnown(p[n:])
		return
	default:
		o.tries++
	}
	n, inText, g := o.alike(p)
	o.text, o.noting = 0, true
	o.last = append(o.last[:0], p[:min(len(p), maxOpening)]...)
	if n < minOpening {
		n = 0
	}
	o.watch(g, 0)
	d.scan(p[:n])
	if n > 0 && d.modelOnly() && o.gap == g {
		o.known.learn(d, p[:n], g)
		o.inText = inText
		o.ending.forget()
	}
	d.scan(p[n:])
}

// alike is how much of p is as in the document before, but for a gap, and whether that
// ends in the text.
func (o *opening) alike(p []byte) (n int, inText bool, g gap) {
	n = common(o.last, p)
	if o.text == 0 || o.text > len(o.last) {
		return n, false, gap{}
	}
	if n >= o.text {
		return o.text, o.quoted, gap{} // which counts, each time
	}
	if g = differing(o.last, p, 0); g.to == 0 || !o.quoted {
		return n, false, gap{}
	}
	behind := g.from + g.size(o.last[g.from:])
	if behind < o.text && bytes.HasPrefix(p[g.to:], o.last[behind:o.text]) {
		return g.to + o.text - behind, true, g
	}
	return n, false, gap{}
}

// openKnown reads what follows on the beginning that is known. Where that is a text,
// and then what followed on the text before, only the text is looked at.
func (d *document) openKnown(rest []byte) {
	o := d.opening
	o.noting = false
	if !o.inText {
		o.known.tell(d)
		d.scan(rest)
		return
	}
	size, texts := jsonscan.InsideString(rest), o.texts
	if o.ending.is(rest[size:]) {
		d.tally.written.add(int64(size))
		o.ahead = true
		return
	}
	o.known.tell(d)
	if len(rest)-size > maxEnding {
		d.scan(rest)
		return
	}
	o.watch(differing(o.ending.bytes, rest[size:], 1), len(o.known.bytes)+size)
	d.scan(rest)
	if o.texts == texts+1 && d.modelOnly() {
		o.ending.learn(d, rest[size:], o.gap)
	}
}

// watch closes a gap when it turns out to say something. The part that it is in begins
// at the offset in the document.
func (o *opening) watch(g gap, offset int) { o.gap, o.watched = g, int64(offset+g.start()) }

// visited notes what is told where it matters, and the model's text.
func (o *opening) visited(v jsonscan.Value) {
	if o == nil {
		return
	}
	if v.Start == o.watched {
		o.gap = gap{}
	}
	if v.ID != idText || (v.Kind != jsonscan.String && v.Kind != jsonscan.Number) {
		return
	}
	if o.texts++; o.noting && o.text == 0 {
		o.text, o.quoted = int(v.Start)+1, v.Kind == jsonscan.String
	}
}

// modelOnly tells whether the document has said nothing so far but, perhaps, its
// model: nothing else is remembered of an opening.
func (d *document) modelOnly() bool {
	return !d.hasUsage && !d.final && !d.emptyChoices && !d.failed && d.failure == (Failure{}) && d.block == (numbers{})
}

// common is the number of bytes that a and b begin with alike.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
