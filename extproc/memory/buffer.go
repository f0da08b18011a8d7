// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"errors"
	"slices"
)

// ErrExhausted means that the budget holds less than was asked for.
var ErrExhausted = errors.New("the budget for bytes in flight is used up")

const (
	// blockSize is the capacity of the blocks that small pieces are gathered
	// in; a piece of at least half a block is kept as it is, and so is the first
	// one, which mostly is the only one.
	blockSize = 16 << 10
	// overhead is what a block costs beside its bytes.
	overhead = 64
)

// Buffer holds the pieces of one body within a Budget. The zero value is of
// no use: see NewBuffer.
type Buffer struct {
	budget  *Budget
	blocks  [][]byte
	size    int64
	charged int64
	out     int64 // charged for the piece that Next handed out
}

// NewBuffer returns an empty buffer.
func NewBuffer(budget *Budget) *Buffer {
	return &Buffer{budget: budget}
}

// Size is the number of bytes held.
func (b *Buffer) Size() int64 { return b.size }

// Append adds p, of which the caller gives up the ownership. Its error is
// ErrExhausted; the buffer is then as it was before.
func (b *Buffer) Append(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if n := len(b.blocks); n > 0 && cap(b.blocks[n-1])-len(b.blocks[n-1]) >= len(p) {
		b.blocks[n-1] = append(b.blocks[n-1], p...)
		b.size += int64(len(p))
		return nil
	}
	block := slices.Clip(p)
	gathered := len(p) < blockSize/2 && len(b.blocks) > 0
	if gathered {
		block = make([]byte, len(p), blockSize)
	}
	cost := int64(cap(block)) + overhead
	if !b.budget.acquire(cost) {
		return ErrExhausted
	}
	if gathered {
		copy(block, p)
	}
	b.blocks = append(b.blocks, block)
	b.size += int64(len(p))
	b.charged += cost
	return nil
}

// Next hands out the pieces in their order, nil at the end, and gives the one before
// back to the budget. Only Next and Release may follow.
func (b *Buffer) Next() []byte {
	if b.out > 0 {
		b.charged -= b.out
		b.budget.release(b.out)
		b.out = 0
	}
	if len(b.blocks) == 0 {
		b.size = 0
		return nil
	}
	block := b.blocks[0]
	b.blocks[0] = nil
	b.blocks = b.blocks[1:]
	b.out = int64(cap(block)) + overhead
	return block
}

// Bytes returns the content in one piece.
func (b *Buffer) Bytes() []byte {
	all := make([]byte, 0, b.size)
	for _, block := range b.blocks {
		all = append(all, block...)
	}
	return all
}

// Release gives everything back to the budget. It may be called again.
func (b *Buffer) Release() {
	b.budget.release(b.charged)
	b.blocks, b.size, b.charged, b.out = nil, 0, 0, 0
}
