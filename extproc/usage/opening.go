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
	// maxTries is how many documents may show that they begin alike up to the text,
	// after one that did not: the first chunk of a chat tells the role before it.
	maxTries = 4
)

// opening is how the documents of a stream begin, and end. Chunks differ in little but
// what the model wrote, and stand in their thousands after each other: what the scanner
// makes of a beginning that has been seen is remembered, in place of scanning it again,
// and so is what it makes of all that follows the text.
type opening struct {
	last   []byte // the beginning of the document before
	text   int    // where in it the first text begins that the model wrote; 0 for nowhere
	quoted bool   // that is a string
	noting bool   // the document is the one in last
	texts  int    // how many texts there were
	known  known  // a beginning
	inText bool   // which ends behind the quote that a text begins with
	tries  int    // how often a known beginning that does not was compared again
	ending ending // and what followed on that text, from its last quote on
}

// known is a part of a document, and what comes of reading it.
type known struct {
	bytes []byte // empty for none
	state jsonscan.State
	model []byte
}

// learn remembers the part that ends where the document's scanner is.
func (k *known) learn(d *document, p []byte) {
	k.bytes = append(k.bytes[:0], p...)
	k.model = append(k.model[:0], d.model...)
	d.scanner.Save(&k.state)
}

// tell puts the document where it was behind the part.
func (k *known) tell(d *document) {
	d.scanner.Restore(&k.state)
	d.model = append(d.model[:0], k.model...)
}

// open reads the first piece of a document, mostly the whole of it.
func (d *document) open(p []byte) {
	o := d.opening
	switch n := len(o.known.bytes); {
	case n == 0 || !bytes.HasPrefix(p, o.known.bytes):
		o.tries = 0
	case o.inText || o.tries == maxTries:
		d.openKnown(p[n:])
		return
	default:
		o.tries++
	}
	n := common(o.last, p)
	inText := o.text > 0 && n >= o.text && o.quoted
	if o.text > 0 {
		n = min(n, o.text) // which counts, each time
	}
	o.text, o.noting = 0, true
	o.last = append(o.last[:0], p[:min(len(p), maxOpening)]...)
	if n < minOpening {
		n = 0
	}
	written := d.tally.written
	d.scan(p[:n])
	if n > 0 && d.modelOnly() && d.tally.written == written {
		o.known.learn(d, p[:n])
		o.inText = inText
		o.ending.forget()
	}
	d.scan(p[n:])
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
		o.ending.tell(d)
		return
	}
	o.known.tell(d)
	o.ending.compare(rest[size:], len(o.known.bytes)+size)
	d.scan(rest)
	if o.texts == texts+1 && d.modelOnly() {
		o.ending.learn(d, rest[size:])
	}
}

// visited notes what is told where it matters, and the model's text.
func (o *opening) visited(v jsonscan.Value) {
	if o == nil {
		return
	}
	o.ending.visited(v)
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
