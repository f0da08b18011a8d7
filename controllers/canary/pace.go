// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"sync"
	"time"
)

// MaxUpstreamRate is how many requests a second the whole operator sends to TARS
// at most, over all TarsBackends and Envoys. Beyond 500 Envoys and TarsBackends
// the waits between requests grow.
const MaxUpstreamRate = 25

// pace gives out turns at a bounded rate.
type pace struct {
	every time.Duration

	mu   sync.Mutex
	next time.Time
}

func newPace(perSecond int) *pace {
	return &pace{every: time.Second / time.Duration(perSecond)}
}

// turn is the time of the caller's turn: now, or when all before it had theirs.
func (p *pace) turn(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now
	if p.next.After(now) {
		at = p.next
	}
	p.next = at.Add(p.every)
	return at
}
