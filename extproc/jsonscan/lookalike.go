// SPDX-License-Identifier: Apache-2.0

package jsonscan

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"
)

// visible is what some JSON library may make of a key: a string of C ends at NUL, and
// lenient decoders drop what is no UTF-8 or cannot be seen. Of a long key there is only the
// beginning, unless NUL ends it.
func visible(key []byte, long bool) (text []byte, begins bool) {
	if !slices.ContainsFunc(key, func(c byte) bool { return c <= ' ' || c > '~' }) {
		return key, long
	}
	for len(key) > 0 {
		r, n := utf8.DecodeRune(key)
		if r == 0 {
			return text, false
		}
		if r != ' ' && r != utf8.RuneError && unicode.IsPrint(r) {
			text = append(text, key[:n]...)
		}
		key = key[n:]
	}
	return text, long
}

// looksLike tells whether some JSON library may take what is visible of a key, or begins it,
// for name: Go's knows no case, as Unicode folds it.
func looksLike(name string, text []byte, begins bool) bool {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		want, size := utf8.DecodeRuneInString(name)
		if size == 0 || !sameFold(want, r) {
			return false
		}
		text, name = text[n:], name[size:]
	}
	return name == "" || begins
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
