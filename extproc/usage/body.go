// SPDX-License-Identifier: Apache-2.0

package usage

// Body reads an answer that is one JSON document.
type Body struct {
	doc *document
}

// NewBody returns a reader that fills tally when it is closed.
func NewBody(tally *Tally) *Body {
	return &Body{doc: newDocument(tally)}
}

// Pass reads p and returns it: what is no JSON is the client's to see, the
// tally just stays empty.
func (b *Body) Pass(p []byte) []byte {
	b.doc.write(p)
	return p
}

// Close reads the end of the body.
func (b *Body) Close() []byte {
	b.doc.end()
	return nil
}
