// SPDX-License-Identifier: Apache-2.0

// Package memory bounds the bytes of bodies that the process holds at one
// time, so that many large prompts lead to a clear refusal and never to an
// out-of-memory kill.
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

// acquire takes n bytes, or nothing when less is left.
func (b *Budget) acquire(n int64) bool {
	if b.held.Add(n) > b.limit {
		b.held.Add(-n)
		return false
	}
	return true
}

func (b *Budget) release(n int64) {
	b.held.Add(-n)
}
