// SPDX-License-Identifier: Apache-2.0

package canary

import (
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

// pace gives out turns at a bounded rate: urgent ones first, and otherwise in the
// order they were asked for. Whoever waits comes back when it was told to, and may
// then be told to wait longer, because urgent ones came. The Prober's lock guards it.
type pace struct {
	every time.Duration
	// free is when the next request may begin.
	free            time.Time
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
	urgent bool
	// at is when to come back. Who does not, for its Envoy keeps it waiting, leaves
	// the queue so as to hold up nobody, and is next when it comes: late.
	at   time.Time
	late bool
}

func newPace(perSecond int) *pace {
	return &pace{every: time.Second / time.Duration(perSecond)}
}

// wait is how long it is until the turn may be right, at which time to ask again;
// 0: it is now, and over.
func (p *pace) wait(now time.Time, t *turn, urgent bool) time.Duration {
	p.passOver(now)
	if t.number != 0 && t.urgent != urgent {
		p.leave(t)
	}
	if t.number == 0 && !t.late {
		p.given++
		t.number, t.urgent = p.given, urgent
		queue := p.queueOf(t)
		*queue = append(*queue, t)
	}
	at := p.free.Add(time.Duration(p.ahead(t)) * p.every)
	if at.After(now) {
		t.at = at
		return at.Sub(now)
	}
	p.begin(now, t)
	return 0
}

// ahead is how many requests begin before a turn's, if no other comes.
func (p *pace) ahead(t *turn) int {
	if t.late {
		return 0
	}
	index, _ := p.find(t)
	if t.urgent {
		return index + min(len(p.routine), (index+p.inARow)/urgentShare)
	}
	return index + min(len(p.urgent), max(0, urgentShare*(index+1)-p.inARow))
}

func (p *pace) begin(now time.Time, t *turn) {
	p.leave(t)
	p.free = now.Add(p.every)
	switch {
	case !t.urgent:
		p.inARow = 0
	case len(p.routine) > 0:
		p.inARow++
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
	if t.urgent {
		return &p.urgent
	}
	return &p.routine
}

// find is where a turn is in its queue, which is in the order of numbers.
func (p *pace) find(t *turn) (int, bool) {
	return slices.BinarySearchFunc(*p.queueOf(t), t.number, func(other *turn, number uint64) int {
		switch {
		case other.number < number:
			return -1
		case other.number > number:
			return 1
		default:
			return 0
		}
	})
}
