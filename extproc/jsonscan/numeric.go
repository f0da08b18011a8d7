// SPDX-License-Identifier: Apache-2.0

package jsonscan

// number reads as many bytes of a number as the piece holds. The byte after
// a number ends it and is left to be read again.
func (s *Scanner) number(p []byte, i int) (int, error) {
	if s.infinite(p[i]) {
		s.keep(p[i : i+1])
		s.state, s.literal = inLiteral, infinity[1:]
		return 1, nil
	}
	n := 0
	for ; i+n < len(p); n++ {
		next, ok := s.nextNumeric(p[i+n])
		if !ok {
			s.keep(p[i : i+n])
			at := s.off + int64(i+n)
			if !s.numberMayEnd() {
				return 0, s.fail(at, "malformed number")
			}
			s.endScalar(at)
			return n, nil
		}
		s.state = next
	}
	s.keep(p[i : i+n])
	return n, nil
}

// nextNumeric is the state after c, ok false when c is no part of the number.
func (s *Scanner) nextNumeric(c byte) (next state, ok bool) {
	digit := c >= '0' && c <= '9'
	switch s.state {
	case numMinus:
		if c == '0' {
			return numZero, true
		}
		return numInt, digit
	case numZero, numInt, numFrac:
		switch {
		case digit && s.state != numZero:
			return s.state, true
		case c == '.' && s.state != numFrac:
			return numDot, true
		case c == 'e' || c == 'E':
			return numExp, true
		}
		return s.state, false
	case numDot:
		return numFrac, digit
	case numExp:
		if c == '+' || c == '-' {
			return numExpSign, true
		}
		return numExpDigits, digit
	default:
		return numExpDigits, digit
	}
}

func (s *Scanner) numberMayEnd() bool {
	switch s.state {
	case numZero, numInt, numFrac, numExpDigits:
		return true
	default:
		return false
	}
}
