// SPDX-License-Identifier: Apache-2.0

package jsonscan

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// looksLike tells whether some JSON library may take a key for name: Go's knows
// no case, as Unicode folds it, a string of C ends at NUL, and lenient decoders
// drop what is no UTF-8 or cannot be seen. Of a long key there is only the beginning:
// what can be seen of it may be that of name.
func looksLike(name string, key []byte, long bool) bool {
	for len(key) > 0 {
		r, n := utf8.DecodeRune(key)
		if key = key[n:]; r == 0 {
			return name == ""
		}
		if r == ' ' || r == utf8.RuneError || !unicode.IsPrint(r) {
			continue
		}
		want, n := utf8.DecodeRuneInString(name)
		if name = name[n:]; n == 0 || !sameFold(want, r) {
			return false
		}
	}
	return name == "" || long
}

func sameFold(a, b rune) bool {
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return a == b
}

// longKey is what is looked at of a key that is longer than any of ours, as
// written: its beginning, without an escape that is cut.
func longKey(raw []byte) []byte {
	const longest = len(`\u0000`)
	if i := bytes.LastIndexByte(raw, '\\'); i > len(raw)-longest {
		return raw[:i]
	}
	return raw
}
