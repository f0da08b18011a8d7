// SPDX-License-Identifier: Apache-2.0

package jsonscan

// scalar reads the first byte of a number or literal.
func (s *Scanner) scalar(c byte, at int64) (int, error) {
	if !s.valueAllowed() {
		return 0, s.fail(at, "unexpected character")
	}
	switch {
	case c == '-':
		s.beginScalar(Number, at)
		s.state = numMinus
	case c == '0':
		s.beginScalar(Number, at)
		s.state = numZero
	case c >= '1' && c <= '9':
		s.beginScalar(Number, at)
		s.state = numInt
	case c == 't':
		s.beginLiteral(True, "rue", at)
	case c == 'f':
		s.beginLiteral(False, "alse", at)
	case c == 'n':
		s.beginLiteral(Null, "ull", at)
	case !s.lenientScalar(c, at):
		return 0, s.fail(at, "unexpected character")
	}
	s.keep([]byte{c})
	return 1, nil
}

func (s *Scanner) beginLiteral(kind Kind, rest string, at int64) {
	s.beginScalar(kind, at)
	s.literal = rest
	s.state = inLiteral
}

func (s *Scanner) beginScalar(kind Kind, at int64) {
	s.begin()
	s.kind, s.start = kind, at
	s.raw, s.long = s.raw[:0], false
	s.capture = s.pending != nil && s.pending.ID != 0
	s.keeps = s.capture && !s.pending.Sized
}

// keep adds to the scalar that is reported at its end.
func (s *Scanner) keep(p []byte) {
	if !s.keeps || s.long {
		return
	}
	if room := MaxRaw - len(s.raw); len(p) > room {
		p, s.long = p[:room], true
	}
	s.raw = append(s.raw, p...)
}

func (s *Scanner) endScalar(end int64) {
	if s.capture {
		s.report(Value{
			ID: s.pending.ID, Kind: s.kind, Folded: s.folded, Truncated: s.long,
			Start: s.start, End: end, Raw: s.raw,
		})
	}
	s.afterValue()
}

// text reads the inside of a key or string.
func (s *Scanner) text(p []byte, i int) (int, error) {
	if s.state == inString && (!s.keeps || s.long) {
		if n := InsideString(p[i:]); n > 0 {
			return n, nil
		}
	}
	n := plainText(p[i:])
	s.keepText(p[i : i+n])
	if i+n == len(p) {
		return n, nil
	}
	at := s.off + int64(i+n)
	switch p[i+n] {
	case '"':
		if s.state == inKey {
			s.endKey()
		} else {
			s.keep(p[i+n : i+n+1])
			s.endScalar(at + 1)
		}
	case '\\':
		s.keepText(p[i+n : i+n+1])
		s.ret, s.state = s.state, inEscape
	default:
		return 0, s.fail(at, "control character in a string")
	}
	return n + 1, nil
}

func (s *Scanner) keepText(p []byte) {
	if s.state == inString || (s.state >= inEscape && s.ret == inString) {
		s.keep(p)
		return
	}
	if !s.keyed || s.keyLong {
		return
	}
	if room := maxKeyRaw - len(s.keyRaw); len(p) > room {
		p, s.keyLong = p[:room], true
	}
	s.keyRaw = append(s.keyRaw, p...)
}

// escape reads a byte after a backslash.
func (s *Scanner) escape(c byte, at int64) (int, error) {
	s.keepText([]byte{c})
	if s.state == inHex {
		if !isHex(c) {
			return 0, s.fail(at, "invalid \\u escape")
		}
		if s.hexLeft--; s.hexLeft == 0 {
			s.state = s.ret
		}
		return 1, nil
	}
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.state = s.ret
	case 'u':
		s.state, s.hexLeft = inHex, 4
	default:
		return 0, s.fail(at, "invalid escape")
	}
	return 1, nil
}

func isHex(c byte) bool {
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')
}

func (s *Scanner) literalByte(c byte, at int64) (int, error) {
	if c != s.literal[0] {
		return 0, s.fail(at, "unexpected character")
	}
	s.keep([]byte{c})
	if s.literal = s.literal[1:]; s.literal != "" {
		return 1, nil
	}
	if s.state == inMark {
		s.state = wantValue
		return 1, nil
	}
	s.endScalar(at + 1)
	return 1, nil
}
