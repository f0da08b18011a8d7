// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"sync"
	"time"

	"github.com/tars-operator/tars-operator/extproc/config"
)

var errTicketUsed = errors.New("ticket used before")

// tickets remembers which tickets of the operator's probes were used, until
// they are out of time: who reads one in a log cannot use it again here. Only
// good ones are kept, so only the operator can make the memory grow.
type tickets struct {
	now func() time.Time

	mu   sync.Mutex
	used map[string]time.Time // by nonce
}

func newTickets(now func() time.Time) *tickets {
	return &tickets{now: now, used: map[string]time.Time{}}
}

// use takes a ticket, or says why it cannot be used.
func (t *tickets) use(passToken, ticket string) error {
	now := t.now()
	nonce, err := config.CheckProbeTicket(passToken, ticket, now)
	if err != nil {
		return err //nolint:wrapcheck // its text is the answer
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for old, at := range t.used {
		if now.Sub(at) > 2*config.ProbeTicketLife {
			delete(t.used, old)
		}
	}
	if _, again := t.used[nonce]; again {
		return errTicketUsed
	}
	t.used[nonce] = now
	return nil
}
