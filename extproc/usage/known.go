// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"bytes"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

// known is a part of a document, and what comes of reading it.
type known struct {
	bytes []byte // empty for none
	gap   gap    // where in them others may differ that read the same
	state jsonscan.State
	model []byte
	ends  bool // a document that ended behind it was whole
}

// learn remembers the part that ends where the document's scanner is.
func (k *known) learn(d *document, p []byte, g gap) {
	k.bytes = append(k.bytes[:0], p...)
	k.gap, k.ends = g, false
	k.model = append(k.model[:0], d.model...)
	d.scanner.Save(&k.state)
}

// tell puts the document where it was behind the part.
func (k *known) tell(d *document) {
	d.scanner.Restore(&k.state)
	d.model = append(d.model[:0], k.model...)
}

func (k *known) forget() { k.bytes = k.bytes[:0] }

// begins tells whether p begins with a part that reads as this one does, and its length.
func (k *known) begins(p []byte) (n int, ok bool) {
	if len(k.bytes) == 0 || !bytes.HasPrefix(p, k.bytes[:k.gap.from]) {
		return 0, false
	}
	size := k.gap.size(p[k.gap.from:])
	n = k.gap.from + size
	tail := k.bytes[k.gap.to:]
	return n + len(tail), bytes.HasPrefix(p[n:], tail) && (size > 0 || !k.gap.digits)
}

// is tells whether p reads as the part does.
func (k *known) is(p []byte) bool {
	n, ok := k.begins(p)
	return ok && n == len(p)
}

// gap is where parts of documents differ that say the same: in the inside of a string
// that is no name, or in the digits of a number. OpenAI pads each chunk with some
// "obfuscation" of random length, and numbers the events of a response.
//
// What stands there cannot matter: by what is before it, it is a value, in a place that
// was not told to the document's Visit when the part was scanned, and what ends it is in
// the part, too. The part that was remembered before is only a hint where to look.
type gap struct {
	from, to int // both 0 for nowhere
	digits   bool
}

// differing is where b differs first from a, which is behind the first at bytes of both:
// nowhere if that is no gap. Both are outside of strings there.
func differing(a, b []byte, at int) gap {
	same := common(a, b)
	for at <= same {
		opens := bytes.IndexByte(b[at:same], '"')
		if opens < 0 {
			return differingNumber(a, b, same)
		}
		g := gap{from: at + opens + 1}
		g.to = g.from + g.size(b[g.from:])
		if g.to == len(b) || b[g.to] != '"' {
			break
		}
		if g.to >= same {
			if !isValue(b[g.to+1:]) {
				break
			}
			return g
		}
		at = g.to + 1
	}
	return gap{}
}

// differingNumber is differing where the first same bytes are alike and end outside of
// strings.
func differingNumber(a, b []byte, same int) gap {
	g := gap{from: same, digits: true}
	for g.from > 0 && isDigit(b[g.from-1]) {
		g.from--
	}
	g.to = g.from + g.size(b[g.from:])
	if g.from == 0 || !endsOrBegins(b[g.from-1]) || g.to == g.from || g.to == len(b) || !endsOrBegins(b[g.to]) || g.size(a[g.from:]) == 0 {
		return gap{}
	}
	return g
}

// size is how much of p, which begins in the gap, lies in it: 0 where no number is.
func (g gap) size(p []byte) int {
	switch {
	case g.to == 0 && g.from == 0:
		return 0
	case !g.digits:
		return jsonscan.InsideString(p)
	case len(p) > 0 && p[0] == '0': // nothing more of a number may follow
		return 1
	}
	n := 0
	for n < len(p) && isDigit(p[n]) {
		n++
	}
	return n
}

// start is where the value is that the gap is in.
func (g gap) start() int {
	if g.digits {
		return g.from
	}
	return g.from - 1 // the quote
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// endsOrBegins tells whether a number may end before c, or begin behind it.
func endsOrBegins(c byte) bool { return bytes.IndexByte([]byte(",:[]} \t\r\n"), c) >= 0 }

// isValue tells whether a string is a value, and no name of one, by what follows on it.
func isValue(p []byte) bool {
	p = bytes.TrimLeft(p, " \t\r\n")
	return len(p) > 0 && p[0] != ':'
}
