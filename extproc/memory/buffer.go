// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"errors"
	"slices"
)

// ErrExhausted means that the budget holds less than was asked for.
var ErrExhausted = errors.New("the budget for bytes in flight is used up")

const (
	// blockSize is the greatest capacity of the blocks that small pieces, of less
	// than half of it, are gathered in; a greater piece is kept as it is.
	blockSize = 16 << 10
	// overhead is what a block costs beside its bytes.
	overhead = 64
)

// Buffer holds the pieces of one body within a Budget. The zero value is of
// no use: see NewBuffer.
type Buffer struct {
	budget  *Budget
	blocks  []block
	size    int64
	charged int64
	out     block // that Next handed out
}

// block is a piece, and the memory from Take that it is a part of, if any.
type block struct{ bytes, home []byte }

// cost is what a block takes of the budget. A home may be a third larger, which the
// budget leaves room for: it is less than half of the process's memory.
func (b block) cost() int64 {
	if b.bytes == nil {
		return 0
	}
	return cost(cap(b.bytes))
}

func cost(size int) int64 { return int64(size) + overhead }

// NewBuffer returns an empty buffer.
func NewBuffer(budget *Budget) *Buffer {
	return &Buffer{budget: budget}
}

// Size is the number of bytes held.
func (b *Buffer) Size() int64 { return b.size }

// Append adds p, of which the caller gives up the ownership, and that of the memory
// from Take that it is a part of, if any: the buffer recycles it. Its error is
// ErrExhausted; the buffer is then as it was before.
func (b *Buffer) Append(p, home []byte) error {
	if len(p) == 0 {
		return nil
	}
	if len(b.blocks) > 0 && len(p) < blockSize/2 {
		last := &b.blocks[len(b.blocks)-1]
		if cap(last.bytes)-len(last.bytes) >= len(p) || len(last.bytes) < blockSize/2 {
			if err := b.gather(last, p); err != nil {
				return err
			}
			Recycle(home) // p was copied
			return nil
		}
	}
	if !b.charge(cost(len(p))) {
		return ErrExhausted
	}
	piece := block{bytes: slices.Clip(p), home: home}
	if cap(home) > len(p)+len(p)/3 {
		piece = block{bytes: append(make([]byte, 0, len(p)), p...)}
		Recycle(home)
	}
	b.blocks = append(b.blocks, piece)
	b.size += int64(len(p))
	return nil
}

// gather adds p to the last block. That grows with what is in it: Envoy sends a
// tiny piece now and then between great ones, which must not cost a whole block.
func (b *Buffer) gather(last *block, p []byte) error {
	if need := len(last.bytes) + len(p); need > cap(last.bytes) {
		grown := min(2*need, blockSize)
		if !b.charge(cost(grown) - last.cost()) {
			return ErrExhausted
		}
		*last = block{bytes: append(make([]byte, 0, grown), last.bytes...)}
	}
	last.bytes = append(last.bytes, p...)
	b.size += int64(len(p))
	return nil
}

func (b *Buffer) charge(n int64) bool {
	if !b.budget.Acquire(n) {
		return false
	}
	b.charged += n
	return true
}

// Next hands out the pieces in their order, nil at the end, and gives the one before
// back to the budget, and its memory to Recycle. Only Next, More and Release may follow.
func (b *Buffer) Next() []byte {
	b.charged -= b.out.cost()
	b.budget.Release(b.out.cost())
	Recycle(b.out.home)
	b.out = block{}
	if !b.More() {
		b.size = 0
		return nil
	}
	b.out, b.blocks[0] = b.blocks[0], block{}
	b.blocks = b.blocks[1:]
	return b.out.bytes
}

// More tells whether Next has another piece.
func (b *Buffer) More() bool { return len(b.blocks) > 0 }

// Bytes returns the content in one piece.
func (b *Buffer) Bytes() []byte {
	all := make([]byte, 0, b.size)
	for _, piece := range b.blocks {
		all = append(all, piece.bytes...)
	}
	return all
}

// Release gives everything back. It may be called again.
func (b *Buffer) Release() {
	b.budget.Release(b.charged)
	Recycle(b.out.home)
	for _, piece := range b.blocks {
		Recycle(piece.home)
	}
	b.blocks, b.size, b.charged, b.out = nil, 0, 0, block{}
}
