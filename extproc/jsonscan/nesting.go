// SPDX-License-Identifier: Apache-2.0

package jsonscan

// maxDepth is the deepest nesting that encoding/json reads, too.
const maxDepth = 10000

// nesting remembers for each open level whether it is an object (1) or an
// array (0).
type nesting struct {
	bits  []uint64
	depth int
}

func (n *nesting) push(object bool) bool {
	if n.depth >= maxDepth {
		return false
	}
	word, bit := n.depth/64, uint64(1)<<(n.depth%64)
	if word == len(n.bits) {
		n.bits = append(n.bits, 0)
	}
	if object {
		n.bits[word] |= bit
	} else {
		n.bits[word] &^= bit
	}
	n.depth++
	return true
}

func (n *nesting) pop() {
	n.depth--
}

func (n *nesting) inObject() bool {
	at := n.depth - 1
	return n.bits[at/64]&(1<<(at%64)) != 0
}
