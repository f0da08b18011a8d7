// SPDX-License-Identifier: Apache-2.0

package jsonscan

const (
	// byteOrderMark is that of UTF-8.
	byteOrderMark = "\xef\xbb\xbf"

	notANumber = "NaN"
	infinity   = "Infinity"
)

// NewLenient returns a scanner that also takes what clients take although it is no JSON
// (RFC 8259): a byte order mark in front, and NaN, Infinity and -Infinity, which Python
// writes and reads unless told not to. They are reported as a Number that is no count.
func NewLenient(root *Node, visitor Visitor) *Scanner {
	s := New(root, visitor)
	s.lenient = true
	return s
}

// lenientScalar is scalar for what is no JSON.
func (s *Scanner) lenientScalar(c byte, at int64) bool {
	switch {
	case !s.lenient:
		return false
	case c == notANumber[0]:
		s.beginLiteral(Number, notANumber[1:], at)
	case c == infinity[0]:
		s.beginLiteral(Number, infinity[1:], at)
	case c == byteOrderMark[0] && at == 0:
		s.state, s.literal = inMark, byteOrderMark[1:]
	default:
		return false
	}
	return true
}

// infinite tells whether c is what follows on the minus of -Infinity.
func (s *Scanner) infinite(c byte) bool {
	return s.lenient && s.state == numMinus && c == infinity[0]
}
