// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"bytes"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

// ending is what follows on the text of a document. It may differ in the inside of one
// string that says nothing to us: OpenAI pads each chunk with some "obfuscation" of
// random length.
type ending struct {
	known
	// from and to are where in it that inside begins and ends; both 0 for nowhere.
	from, to int

	maybeFrom, maybeTo int   // of the document that is being scanned
	watched            int64 // where in that the string begins
}

// is tells whether p reads as the ending does.
func (e *ending) is(p []byte) bool {
	if e.from == 0 {
		return len(e.bytes) > 0 && bytes.Equal(p, e.bytes)
	}
	if !bytes.HasPrefix(p, e.bytes[:e.from]) {
		return false
	}
	p = p[e.from:]
	return bytes.Equal(p[jsonscan.InsideString(p):], e.bytes[e.to:])
}

// compare finds, before a document is scanned, where its ending differs from this one.
// offset is where in the document that begins.
func (e *ending) compare(p []byte, offset int) {
	e.maybeFrom, e.maybeTo = differing(e.bytes, p)
	e.watched = int64(offset + e.maybeFrom - 1)
}

// visited is told each value that says something.
func (e *ending) visited(v jsonscan.Value) {
	if v.Start == e.watched {
		e.maybeFrom, e.maybeTo = 0, 0
	}
}

// learn remembers the ending of a document that has been scanned.
func (e *ending) learn(d *document, p []byte) {
	e.known.learn(d, p)
	e.from, e.to = e.maybeFrom, e.maybeTo
}

func (e *ending) forget() { e.bytes, e.from, e.to = e.bytes[:0], 0, 0 }

// differing is where in b the inside of the first string begins and ends that is another
// one than in a; both 0 where something else differs first, or it is a name. Both a and b
// begin with the quote that ends a string.
func differing(a, b []byte) (from, to int) {
	same := common(a, b)
	for to < same {
		opens := bytes.IndexByte(b[to+1:same], '"')
		if opens < 0 {
			break
		}
		from = to + 1 + opens + 1
		to = from + jsonscan.InsideString(b[from:])
		if to == len(b) || b[to] != '"' {
			break
		}
		if to >= same && isValue(b[to+1:]) {
			return from, to
		}
	}
	return 0, 0
}

// isValue tells whether a string is a value, and no name of one, by what follows on it.
func isValue(p []byte) bool {
	p = bytes.TrimLeft(p, " \t\r\n")
	return len(p) > 0 && p[0] != ':'
}
