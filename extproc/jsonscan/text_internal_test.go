// SPDX-License-Identifier: Apache-2.0

package jsonscan

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// slowText is anyText, a byte at a time.
func slowText(p []byte) int {
	i := 0
	for i < len(p) && p[i] >= 0x20 && p[i] != '"' {
		if p[i] != '\\' {
			i++
			continue
		}
		n := 0
		if i+1 < len(p) {
			switch {
			case strings.IndexByte(`"\/bfnrt`, p[i+1]) >= 0:
				n = 2
			case p[i+1] == 'u' && i+6 <= len(p):
				n = 6
				for _, c := range p[i+2 : i+6] {
					if strings.IndexByte("0123456789abcdefABCDEF", c) < 0 {
						n = 0
					}
				}
			}
		}
		if n == 0 {
			return i
		}
		i += n
	}
	return i
}

// TestText holds the fast ways through a string against the slow one: at every length
// and place in a block, with whatever stands behind the end.
func TestText(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	// What may follow a backslash, and what needs attention or nearly does.
	letters := []byte("\\\\\\\"/bfnrtux0aF\x00\x1f\x20\x21\x23\x5b\x5d\x7f\x80\x9f\xa2\xdc\xff")
	for _, rare := range []int{1, 8, 64} {
		for range 20_000 {
			text := make([]byte, random.IntN(200))
			for i := range text {
				text[i] = 'x'
				if random.IntN(rare) == 0 {
					text[i] = letters[random.IntN(len(letters))]
				}
			}
			for _, from := range []int{0, random.IntN(len(text) + 1)} {
				p := text[from : from+random.IntN(len(text)-from+1)]
				if got, want := InsideString(p), slowText(p); got != want {
					t.Fatalf("InsideString(%q) is %d, not %d", p, got, want)
				}
			}
		}
	}
}

// TestTextBytes tries every byte at every place of two blocks, and as the last one.
func TestTextBytes(t *testing.T) {
	try := func(p []byte) {
		t.Helper()
		if got, want := InsideString(p), slowText(p); got != want {
			t.Fatalf("InsideString(%q) is %d, not %d", p, got, want)
		}
	}
	for at := range 64 {
		for c := range 256 {
			p := []byte(strings.Repeat("n", 70)) // what would make an escape
			p[at] = byte(c)
			try(p)
			try(p[:at+1])
			p[at], p[at+1] = '\\', byte(c)
			try(p)
			try(p[:at+2])
		}
	}
}
