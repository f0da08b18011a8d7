// SPDX-License-Identifier: Apache-2.0

// Package memory bounds the bytes that the process holds at one time, of
// bodies above all, so that many large prompts, or very many requests, lead to
// a clear refusal and never to an out-of-memory kill.
package memory

import "sync/atomic"

// Budget is a number of bytes that holders share. It is safe for use by many
// goroutines.
type Budget struct {
	limit int64
	held  atomic.Int64
}

// NewBudget returns a budget of limit bytes.
func NewBudget(limit int64) *Budget {
	return &Budget{limit: limit}
}

// Limit is the whole budget in bytes.
func (b *Budget) Limit() int64 { return b.limit }

// Held is the number of bytes taken from the budget.
func (b *Budget) Held() int64 { return b.held.Load() }

// Acquire takes n bytes, or nothing when less is left. Release gives them back.
func (b *Budget) Acquire(n int64) bool {
	if b.held.Add(n) > b.limit {
		b.held.Add(-n)
		return false
	}
	return true
}

// Release gives n bytes back that were acquired.
func (b *Budget) Release(n int64) {
	b.held.Add(-n)
}
