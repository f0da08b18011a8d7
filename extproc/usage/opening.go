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
)

// opening is how the documents of a stream begin. Chunks differ in little but what the
// model wrote, and stand in their thousands after each other: what the scanner makes of
// a beginning that has been seen is remembered, in place of scanning it again.
type opening struct {
	last  []byte // the beginning of the document before
	text  int    // where in it the first text begins that the model wrote; 0 for nowhere
	known []byte // the beginning that state and model are the result of; empty for none
	state jsonscan.State
	model []byte
}

// open reads the beginning of a document, and returns what is left to be read.
func (d *document) open(p []byte) []byte {
	o := d.opening
	if n := len(o.known); n > 0 && bytes.HasPrefix(p, o.known) {
		d.scanner.Restore(&o.state)
		d.model = append(d.model[:0], o.model...)
		return p[n:]
	}
	n := common(o.last, p)
	if o.text > 0 {
		n = min(n, o.text) // which counts, each time
	}
	o.text = 0
	o.last = append(o.last[:0], p[:min(len(p), maxOpening)]...)
	if n < minOpening {
		return p
	}
	written := d.tally.written
	d.broken = d.scanner.Write(p[:n]) != nil
	if d.modelOnly() && d.tally.written == written {
		o.known = append(o.known[:0], p[:n]...)
		o.model = append(o.model[:0], d.model...)
		d.scanner.Save(&o.state)
	}
	return p[n:]
}

// wrote notes where the model's text stands.
func (o *opening) wrote(v jsonscan.Value) {
	if o != nil && o.text == 0 {
		o.text = int(v.Start) + 1
	}
}

// modelOnly tells whether the document has said nothing so far but, perhaps, its
// model: nothing else is remembered of an opening.
func (d *document) modelOnly() bool {
	return !d.hasUsage && !d.emptyChoices && !d.failed && d.failure == (Failure{}) && d.block == (numbers{})
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
