// SPDX-License-Identifier: Apache-2.0

package jsonscan

import "bytes"

// structure reads a byte between values.
func (s *Scanner) structure(c byte, at int64) (int, error) {
	switch c {
	case ' ', '\t', '\n', '\r':
		return 1, nil
	case '{', '[':
		return 1, s.open(c == '{', at)
	case '}', ']':
		return 1, s.close(c == '}', at)
	case '"':
		return 1, s.quote(at)
	case ',':
		return 1, s.comma(at)
	case ':':
		if s.state != wantColon {
			return 0, s.fail(at, "unexpected colon")
		}
		s.state = wantValue
		return 1, nil
	default:
		return s.scalar(c, at)
	}
}

func (s *Scanner) valueAllowed() bool {
	return s.state == wantValue || s.state == wantElemOrEnd
}

func (s *Scanner) open(object bool, at int64) error {
	if !s.valueAllowed() {
		return s.fail(at, "unexpected opening bracket")
	}
	s.begin()
	if !s.nest.push(object) {
		return s.fail(at, "nesting is too deep")
	}
	if s.pending != nil {
		s.frames = append(s.frames, frame{
			node: s.pending, start: at, folded: s.folded, depth: s.nest.depth,
		})
	}
	s.state = wantElemOrEnd
	if object {
		s.state = wantKeyOrEnd
	}
	s.expectMember()
	return nil
}

// begin notes that the level above is not empty.
func (s *Scanner) begin() {
	if f := s.frame(); f != nil {
		f.filled = true
	}
}

func (s *Scanner) close(object bool, at int64) error {
	ready := s.state == afterValue ||
		(object && s.state == wantKeyOrEnd) || (!object && s.state == wantElemOrEnd)
	if !ready || s.nest.depth == 0 || s.nest.inObject() != object {
		return s.fail(at, "unexpected closing bracket")
	}
	f := s.frame()
	if f != nil {
		s.frames = s.frames[:len(s.frames)-1]
	}
	s.nest.pop()
	if f != nil {
		kind := Array
		if object {
			kind = Object
		}
		s.report(Value{
			ID: f.node.ID, Kind: kind, Folded: f.folded, Empty: !f.filled, Start: f.start, End: at + 1,
		})
	}
	s.afterValue()
	return nil
}

func (s *Scanner) quote(at int64) error {
	switch s.state {
	case wantKey, wantKeyOrEnd:
		s.state = inKey
		s.keyRaw, s.keyLong = s.keyRaw[:0], false
		s.keyed = s.frame() != nil
		return nil
	case wantValue, wantElemOrEnd:
		s.beginScalar(String, at)
		s.keep([]byte{'"'})
		s.state = inString
		return nil
	default:
		return s.fail(at, "unexpected string")
	}
}

func (s *Scanner) comma(at int64) error {
	if s.state != afterValue {
		return s.fail(at, "unexpected comma")
	}
	s.state = wantValue
	if s.nest.inObject() {
		s.state = wantKey
	}
	s.expectMember()
	return nil
}

// frame is that of the innermost open level, nil when nothing watches it.
func (s *Scanner) frame() *frame {
	if len(s.frames) == 0 {
		return nil
	}
	f := &s.frames[len(s.frames)-1]
	if f.depth != s.nest.depth {
		return nil
	}
	return f
}

// expectMember sets the place of an array's next element; an object's key
// does so for its value.
func (s *Scanner) expectMember() {
	s.pending, s.folded = nil, false
	if f := s.frame(); f != nil && !s.nest.inObject() {
		s.pending = f.node.Each
	}
}

// endKey looks the key up that has just ended.
func (s *Scanner) endKey() {
	s.state = wantColon
	s.pending, s.folded = nil, false
	f := s.frame()
	if f == nil {
		return
	}
	f.filled = true
	key := s.keyRaw
	if s.keyLong {
		key = longKey(key)
	}
	if bytes.IndexByte(key, '\\') >= 0 {
		key = []byte(Unquote(key))
	}
	var text []byte // what is visible of the key, once anybody asks
	begins, seen := false, false
	for _, child := range f.node.Children {
		if !s.keyLong && child.Key == string(key) {
			s.pending, s.folded = child, false
			return
		}
		if !child.Fold || s.pending != nil {
			continue
		}
		if !seen {
			text, begins = visible(key, s.keyLong)
			seen = true
		}
		if looksLike(child.Key, text, begins) {
			s.pending, s.folded = child, true
		}
	}
}

func (s *Scanner) afterValue() {
	s.pending = nil
	s.state = afterValue
	if s.nest.depth == 0 {
		s.state = afterDocument
	}
}

func (s *Scanner) report(v Value) {
	if v.ID != 0 {
		s.visitor.Visit(v)
	}
}
