// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"cmp"
	"slices"
	"time"
)

// MaxUpstreamRate is how many requests a second the whole operator sends to TARS
// at most, over all TarsBackends and Envoys. Beyond 500 Envoys and TarsBackends
// the waits between routine requests grow.
const MaxUpstreamRate = 25

// urgentShare is how many urgent requests in a row go before one routine request
// that waits: so many that a new key is asked for at once, and so few that
// nothing waits for ever.
const urgentShare = 4

// rank says which of those that wait have their turn first.
type rank int

// The first two are urgent; the last is what nobody waits for.
const (
	// rankAwaited is what is not known, or in doubt: traffic or a human waits for it.
	rankAwaited rank = iota
	// rankSettling asks again whether a good answer lasts. Of a thousand new keys each is
	// asked for once before any is asked for twice.
	rankSettling
	rankRoutine
)

// pace gives out turns at a bounded rate: urgent ones first, and otherwise in the
// order they were asked for. Whoever waits comes back when it was told to, and may
// then be told to wait longer, because urgent ones came. The Prober's lock guards it.
type pace struct {
	every time.Duration
	// free is when the next request may begin.
	free time.Time
	// urgent holds what is awaited, and behind it what settles.
	urgent, routine []*turn
	// inARow counts urgent requests that began while routine ones waited.
	inARow int
	// given counts the turns, to number them.
	given uint64
}

// turn is a place in the queue.
type turn struct {
	// number is 0 for one that is in no queue.
	number uint64
	rank   rank
	// at is when to come back. Who does not, for its Envoy keeps it waiting, leaves
	// the queue so as to hold up nobody, and is next when it comes: late.
	at   time.Time
	late bool
}

func newPace() *pace {
	return &pace{every: time.Second / MaxUpstreamRate}
}

// wait is how long it is until the turn may be right, at which time to ask again;
// 0: it is now, and over.
func (p *pace) wait(now time.Time, t *turn, r rank) time.Duration {
	p.passOver(now)
	if t.number != 0 && t.rank != r {
		p.leave(t)
	}
	if t.number == 0 && !t.late {
		p.given++
		t.number, t.rank = p.given, r
		index, _ := p.find(t)
		queue := p.queueOf(t)
		*queue = slices.Insert(*queue, index, t)
	}
	own, others := p.ahead(t)
	at := p.free.Add(time.Duration(len(own)+len(others)) * p.every)
	// Those ahead may sleep longer than they have to, because others left: they hold
	// nobody up until they come.
	next := now
	if p.free.After(now) {
		next = p.free
	}
	due := func(other *turn) bool { return !other.at.After(next) }
	if !slices.ContainsFunc(own, due) && !slices.ContainsFunc(others, due) {
		at = p.free
	}
	if at.After(now) {
		t.at = at
		return at.Sub(now)
	}
	p.begin(now, t)
	return 0
}

// ahead are those of its own queue and of the other one that begin before a turn, if no
// other comes.
func (p *pace) ahead(t *turn) (own, others []*turn) {
	if t.late {
		return nil, nil
	}
	index, _ := p.find(t)
	if t.rank == rankRoutine {
		return p.routine[:index], p.urgent[:min(len(p.urgent), max(0, urgentShare*(index+1)-p.inARow))]
	}
	return p.urgent[:index], p.routine[:min(len(p.routine), (index+p.inARow)/urgentShare)]
}

func (p *pace) begin(now time.Time, t *turn) {
	p.leave(t)
	p.free = now.Add(p.every)
	switch {
	case t.rank == rankRoutine:
		p.inARow = 0
	case len(p.routine) > 0:
		p.inARow = min(p.inARow+1, urgentShare)
	}
	*t = turn{}
}

// leave gives a turn back, for those behind it to have.
func (p *pace) leave(t *turn) {
	if t.number == 0 {
		return
	}
	queue := p.queueOf(t)
	if index, found := p.find(t); found {
		*queue = slices.Delete(*queue, index, index+1)
	}
	t.number = 0
}

// passOver takes those out of the queues that did not come when they were to.
func (p *pace) passOver(now time.Time) {
	for _, queue := range []*[]*turn{&p.urgent, &p.routine} {
		for len(*queue) > 0 && (*queue)[0].at.Add(p.every).Before(now) {
			t := (*queue)[0]
			p.leave(t)
			t.late = true
		}
	}
}

func (p *pace) queueOf(t *turn) *[]*turn {
	if t.rank == rankRoutine {
		return &p.routine
	}
	return &p.urgent
}

// find is where a turn is in its queue, or where it would be.
func (p *pace) find(t *turn) (int, bool) {
	return slices.BinarySearchFunc(*p.queueOf(t), t, func(a, b *turn) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.number, b.number))
	})
}
