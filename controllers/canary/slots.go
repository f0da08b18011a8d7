// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"sync"
	"time"
)

// silenceMemory is how long an address counts as silent after its last silence.
const silenceMemory = time.Minute

// slots bound the questions that are asked at a time. A question to an address that
// gives no answer takes a thousand times as long as any other, and a Gateway that a
// NetworkPolicy guards has such addresses for each of its TarsBackends: they share
// slots of their own, so that they keep nobody else waiting.
type slots struct {
	now           func() time.Time
	quick, silent chan struct{}

	mu sync.Mutex
	// last is when an address was silent last.
	last map[string]time.Time
}

func newSlots(each int, now func() time.Time) *slots {
	return &slots{now: now, quick: make(chan struct{}, each), silent: make(chan struct{}, each), last: map[string]time.Time{}}
}

// take waits for a slot, and returns what gives it back; nil: ctx ended first.
func (s *slots) take(ctx context.Context, address string) (release func()) {
	of := s.quick
	if s.isSilent(address) {
		of = s.silent
	}
	select {
	case <-ctx.Done():
		return nil
	case of <- struct{}{}:
		return func() { <-of }
	}
}

func (s *slots) isSilent(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.last[address]
	return ok && s.now().Sub(at) < silenceMemory
}

// note takes what came of a question.
func (s *slots) note(address string, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !silent {
		delete(s.last, address)
		return
	}
	now := s.now()
	for old, at := range s.last { // of Envoys that are gone
		if now.Sub(at) >= silenceMemory {
			delete(s.last, old)
		}
	}
	s.last[address] = now
}
