// SPDX-License-Identifier: Apache-2.0

package jsonscan

import (
	"errors"
	"fmt"
)

// maxKeyRaw is the longest written form of a key that is looked up, and what is
// looked at of a longer one; with every character written as an escape, keys up
// to 85 characters fit.
const maxKeyRaw = 512

// ErrIncomplete is what Close returns when the text ends inside a value.
var ErrIncomplete = errors.New("the JSON text ends too early")

// SyntaxError says where the text stops being JSON.
type SyntaxError struct {
	// Offset is that of the byte in error.
	Offset int64
	// Problem says what is wrong with it.
	Problem string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at byte %d", e.Problem, e.Offset)
}

type state uint8

const (
	wantValue     state = iota // a value must begin
	wantElemOrEnd              // after [
	wantKeyOrEnd               // after {
	wantKey                    // after , in an object
	wantColon                  // after a key
	afterValue                 // , or the end of the level
	afterDocument              // white space only
	inString                   // in a value
	inKey                      // in a key
	inEscape                   // after a backslash
	inHex                      // in \uXXXX
	inLiteral                  // in true, false, null
	inMark                     // in a byte order mark
	numMinus                   // after -
	numZero                    // after a leading 0
	numInt                     // in the whole part
	numDot                     // after .
	numFrac                    // in the fraction
	numExp                     // after e
	numExpSign                 // after e+ or e-
	numExpDigits               // in the exponent
)

// frame is an open object or array that a Node watches.
type frame struct {
	node   *Node
	start  int64
	folded bool
	filled bool
	depth  int
}

// Scanner reads one document. The zero value is of no use: see Reset.
type Scanner struct {
	visitor Visitor
	root    *Node
	lenient bool

	state   state
	ret     state // where an escape returns to: inString or inKey
	hexLeft int
	literal string // what is left of true, false, null
	nest    nesting
	off     int64 // offset of the piece's first byte
	err     error

	frames  []frame
	pending *Node // place of the value that comes next
	folded  bool
	kind    Kind
	start   int64
	raw     []byte
	long    bool
	capture bool // the scalar is reported
	keeps   bool // and raw is wanted
	keyRaw  []byte
	keyLong bool
	keyed   bool // the key is looked up
}

// New returns a scanner that reports to visitor. The root node's ID, if any,
// reports the document itself.
func New(root *Node, visitor Visitor) *Scanner {
	s := &Scanner{root: root, visitor: visitor}
	s.Reset()
	return s
}

// Reset makes the scanner ready for the next document.
func (s *Scanner) Reset() {
	s.state, s.off, s.err = wantValue, 0, nil
	s.nest.depth = 0
	s.frames = s.frames[:0]
	s.pending, s.folded = s.root, false
}

// Offset is the number of bytes read.
func (s *Scanner) Offset() int64 { return s.off }

// Write reads the next piece. After an error every further call returns it.
func (s *Scanner) Write(p []byte) error {
	if s.err != nil {
		return s.err
	}
	for i := 0; i < len(p); {
		n, err := s.step(p, i)
		if err != nil {
			s.err = err
			return err
		}
		i += n
	}
	s.off += int64(len(p))
	return nil
}

// Close tells whether what was read is one whole document.
func (s *Scanner) Close() error {
	if s.err != nil {
		return s.err
	}
	if s.numberMayEnd() && s.nest.depth == 0 {
		s.endScalar(s.off)
	}
	if s.state != afterDocument {
		s.err = ErrIncomplete
	}
	return s.err
}

// step reads at least one byte at i, or changes the state, and returns the
// number of bytes read.
func (s *Scanner) step(p []byte, i int) (int, error) {
	switch s.state {
	case inString, inKey:
		return s.text(p, i)
	case inEscape, inHex:
		return s.escape(p[i], s.off+int64(i))
	case inLiteral, inMark:
		return s.literalByte(p[i], s.off+int64(i))
	case numMinus, numZero, numInt, numDot, numFrac, numExp, numExpSign, numExpDigits:
		return s.number(p, i)
	default:
		return s.structure(p[i], s.off+int64(i))
	}
}

func (s *Scanner) fail(at int64, problem string) error {
	return &SyntaxError{Offset: at, Problem: problem}
}
