// SPDX-License-Identifier: Apache-2.0

package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plainText returns the number of bytes at the beginning of p that need no
// attention inside a string: no quote, no backslash, no control character.
// It looks at 32 bytes at a time, and at eight where one of those is found.
func plainText(p []byte) int {
	i := 0
	for ; i+32 <= len(p); i += 32 {
		q := p[i : i+32 : i+32]
		if special(q[:8])|special(q[8:16])|special(q[16:24])|special(q[24:]) != 0 {
			break
		}
	}
	for ; i+8 <= len(p); i += 8 {
		if hit := special(p[i : i+8]); hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(p); i++ {
		if c := p[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return i
}

// special has a bit set in the first of eight bytes that needs attention, if there is
// one, and perhaps in later ones.
func special(p []byte) uint64 {
	w := binary.LittleEndian.Uint64(p)
	// A quote, 0x22, becomes 0x20, the byte behind the control characters, which stay
	// below it: one comparison finds both.
	low := w ^ (ones * 0x02)
	slash := w ^ (ones * '\\')
	// The lowest set bit is exact: a borrow can only spoil bytes above
	// the first hit.
	return (((low - ones*0x21) &^ low) | ((slash - ones) &^ slash)) & highs
}

// escapes are the characters that make an escape with the backslash before them alone.
var escapes = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// InsideString returns the number of bytes at the beginning of p that are the inside of
// a string: text and whole escapes. The string ends there if a quote follows.
func InsideString(p []byte) int {
	i := 0
	for i < len(p) {
		if p[i] != '\\' && p[i] != '"' {
			if wide && len(p)-i >= 32 {
				i += wideText(p[i:], &escapes)
			}
			i += plainText(p[i:])
		}
		if i+1 >= len(p) || p[i] != '\\' {
			return i
		}
		switch {
		case escapes[p[i+1]]:
			i += 2
		case p[i+1] == 'u' && len(p)-i >= len(`\u0000`) && isHex(p[i+2]) && isHex(p[i+3]) && isHex(p[i+4]) && isHex(p[i+5]):
			i += len(`\u0000`)
		default:
			return i
		}
	}
	return i
}
