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
// It looks at eight bytes at a time.
func plainText(p []byte) int {
	i := 0
	for ; i+8 <= len(p); i += 8 {
		w := binary.LittleEndian.Uint64(p[i:])
		quote := w ^ (ones * '"')
		slash := w ^ (ones * '\\')
		// The lowest set bit is exact: a borrow can only spoil bytes above
		// the first hit.
		hit := ((quote - ones) &^ quote) | ((slash - ones) &^ slash) | ((w - ones*0x20) &^ w)
		if hit &= highs; hit != 0 {
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

// anyText returns the number of bytes at the beginning of p that are the inside of
// a string: text and whole escapes.
func anyText(p []byte) int {
	i := 0
	for {
		i += plainText(p[i:])
		if i+1 >= len(p) || p[i] != '\\' {
			return i
		}
		switch p[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
		case 'u':
			if len(p)-i < len(`\u0000`) || !isHex(p[i+2]) || !isHex(p[i+3]) || !isHex(p[i+4]) || !isHex(p[i+5]) {
				return i
			}
			i += len(`\u0000`)
		default:
			return i
		}
	}
}
