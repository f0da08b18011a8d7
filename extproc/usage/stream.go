// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"slices"

	"github.com/tars-operator/tars-operator/extproc/sse"
)

// maxHeld is the largest event, in bytes, that can be taken out of a stream.
// The usage chunk is a few hundred bytes long.
const maxHeld = 64 << 10

// Stream reads an answer that is server-sent events. On request it takes the
// chunk out that only carries usage; every other byte passes unchanged.
type Stream struct {
	doc       *document
	reader    *sse.Reader
	strip     bool
	usageOnly bool   // of the event that has just ended
	dropped   bool   // the block before was taken out
	passing   bool   // the current block is too long to be taken out
	held      []byte // the current block so far
	in, out   []byte // of Pass
	same      bool   // out is the beginning of in
	joined    []byte // what out is otherwise
}

// NewStream returns a reader that fills tally event by event. With strip set
// it takes the usage chunk out.
func NewStream(tally *Tally, strip bool) *Stream {
	s := &Stream{doc: newDocument(tally), strip: strip}
	s.doc.opening = new(opening)
	s.reader = sse.New(s)
	return s
}

// Data implements sse.Sink.
func (s *Stream) Data(p []byte) { s.doc.write(p) }

// Event implements sse.Sink.
func (s *Stream) Event() { s.usageOnly = s.doc.end() }

// Pass reads p and returns what goes on to the client: of p itself, unless an event
// is taken out or not whole yet. It is valid until p changes or Pass is called again.
func (s *Stream) Pass(p []byte) []byte {
	if !s.strip {
		for rest := p; len(rest) > 0; {
			n, _ := s.reader.Next(rest)
			rest = rest[n:]
		}
		return p
	}
	s.in, s.out, s.same = p, p[:0], true
	for rest := p; len(rest) > 0; {
		n, mark := s.reader.Next(rest)
		s.take(rest[:n], mark)
		rest = rest[n:]
	}
	return s.out
}

// take decides about the next part of a block.
func (s *Stream) take(part []byte, mark sse.Mark) {
	switch mark {
	case sse.Tail:
		if !s.dropped {
			s.emit(part)
		}
	case sse.Part:
		s.hold(part)
	case sse.End:
		if s.dropped = s.usageOnly && !s.passing; !s.dropped {
			s.emit(s.held)
			s.emit(part)
		}
		s.held, s.usageOnly, s.passing = s.held[:0], false, false
	}
}

func (s *Stream) hold(part []byte) {
	if s.passing || len(s.held)+len(part) > maxHeld {
		s.emit(s.held)
		s.emit(part)
		s.held, s.passing = s.held[:0], true
		return
	}
	s.held = append(s.held, part...)
}

// emit adds a part to what goes on. As long as that is the beginning of what came,
// nothing is copied.
func (s *Stream) emit(part []byte) {
	if len(part) == 0 {
		return
	}
	n := len(s.out)
	if s.same && n < len(s.in) && &part[0] == &s.in[n] {
		s.out = s.in[:n+len(part)]
		return
	}
	if s.same {
		s.same = false
		s.joined = slices.Grow(s.joined[:0], len(s.held)+len(s.in))
		s.out = append(s.joined, s.out...)
	}
	s.out = append(s.out, part...)
}

// Close reads the end of the stream and returns what was still held.
func (s *Stream) Close() []byte {
	s.reader.Close()
	if s.usageOnly && !s.passing {
		return nil
	}
	return s.held
}
