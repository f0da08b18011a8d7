// SPDX-License-Identifier: Apache-2.0

// Package sse reads server-sent events (WHATWG HTML, section 9.2.6) that
// arrive in pieces. It keeps nothing of what it reads: the data of an event
// goes on to a Sink as it comes, and Next tells where in the bytes an event
// ends, so that a caller can take whole events out of a stream.
package sse

import "bytes"

// Sink hears of the data of events.
type Sink interface {
	// Data is the next part of the current event's data, without field names
	// and line ends; lines are joined by a line feed. It is valid during the
	// call only.
	Data(p []byte)
	// Event is called at the end of an event that has data.
	Event()
}

// Mark says what the bytes that Next has read are.
type Mark uint8

const (
	// Part is for bytes after which the event goes on.
	Part Mark = iota
	// End is for bytes that end the event, or a block without data such as a
	// comment between two empty lines.
	End
	// Tail is for a line feed that belongs to the carriage return which ended
	// the event before.
	Tail
)

const (
	bom   = "\xef\xbb\xbf"
	field = "data"
)

// wholeField is what a line of data begins with, as everybody writes it.
var wholeField = []byte(field + ": ")

type place uint8

const (
	atStart  place = iota // of the stream: a byte order mark may come
	atLine                // at the beginning of a line
	inField               // in what may become "data"
	inPrefix              // after "data:", where one space may come
	inData                // in the value of a data line
	inOther               // in any other line
)

// Reader finds events.
type Reader struct {
	sink    Sink
	place   place
	matched int  // bytes of bom or of field seen so far
	lines   int  // data lines of the current event
	skipLF  bool // the last byte was a carriage return that ended a line
	ended   bool // and that line ended an event
}

// New returns a Reader that tells sink of the data.
func New(sink Sink) *Reader {
	return &Reader{sink: sink}
}

// Next reads the beginning of p, up to the end of the current event at most,
// and returns the number of bytes read. It reads all of p, or p[:n] ends an
// event.
func (r *Reader) Next(p []byte) (n int, mark Mark) {
	i := 0
	if r.skipLF && len(p) > 0 {
		ended := r.ended
		r.skipLF, r.ended = false, false
		if p[0] == '\n' {
			i = 1
			if ended {
				return 1, Tail
			}
		}
	}
	for i < len(p) {
		if r.place == atLine && isEOL(p[i]) {
			i = r.endLine(p, i)
			r.endEvent()
			return i, End
		}
		i = r.step(p, i)
	}
	return i, Part
}

// Close ends the stream: an event that lacks its empty line counts, too.
func (r *Reader) Close() {
	if r.lines > 0 {
		r.endEvent()
	}
}

func (r *Reader) endEvent() {
	r.ended = r.skipLF
	if r.lines > 0 {
		r.lines = 0
		r.sink.Event()
	}
}

// step reads within a line and returns the index of the next byte to read.
func (r *Reader) step(p []byte, i int) int {
	switch r.place {
	case atStart:
		return r.start(p, i)
	case atLine:
		if bytes.HasPrefix(p[i:], wholeField) {
			r.beginData()
			r.place = inData
			return i + len(wholeField)
		}
		r.place, r.matched = inField, 0
		return i
	case inField:
		return r.field(p, i)
	case inPrefix:
		r.place = inData
		if p[i] == ' ' {
			i++
		}
		return i
	default:
		n := lineLength(p[i:])
		if r.place == inData && n > 0 {
			r.sink.Data(p[i : i+n])
		}
		if i += n; i < len(p) {
			i = r.endLine(p, i)
		}
		return i
	}
}

// start skips a byte order mark at the beginning of the stream.
func (r *Reader) start(p []byte, i int) int {
	switch {
	case p[i] == bom[r.matched]:
		i++
		if r.matched++; r.matched == len(bom) {
			r.place = atLine
		}
	case r.matched > 0:
		r.place = inOther
	default:
		r.place = atLine
	}
	return i
}

func (r *Reader) field(p []byte, i int) int {
	switch {
	case r.matched < len(field) && p[i] == field[r.matched]:
		r.matched++
		return i + 1
	case r.matched == len(field) && p[i] == ':':
		r.beginData()
		r.place = inPrefix
		return i + 1
	case r.matched == len(field) && isEOL(p[i]):
		r.beginData()
	}
	r.place = inOther
	return i
}

func (r *Reader) beginData() {
	if r.lines > 0 {
		r.sink.Data([]byte{'\n'})
	}
	r.lines++
}

// endLine reads the line end at i: CR LF, LF or CR.
func (r *Reader) endLine(p []byte, i int) int {
	r.place = atLine
	if p[i] == '\n' {
		return i + 1
	}
	if i+1 == len(p) {
		r.skipLF = true
		return i + 1
	}
	if p[i+1] == '\n' {
		return i + 2
	}
	return i + 1
}

func isEOL(c byte) bool { return c == '\n' || c == '\r' }

// window is how far lineLength looks for one kind of line end before it looks
// for the other: the lines of a stream all end in the same way, and looking to
// the end for the other one, line by line, would take quadratic time.
const window = 512

// lineLength is the number of bytes before the line end, or all.
func lineLength(p []byte) int {
	for at := 0; at < len(p); at += window {
		part := p[at:min(at+window, len(p))]
		n := len(part)
		if i := bytes.IndexByte(part, '\n'); i >= 0 {
			part = part[:i]
		}
		if i := bytes.IndexByte(part, '\r'); i >= 0 {
			part = part[:i]
		}
		if len(part) < n {
			return at + len(part)
		}
	}
	return len(p)
}
