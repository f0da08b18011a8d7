// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"container/heap"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// caller is a conversation that takes turns with others.
type caller struct {
	*talk
	answer conditions.UpstreamOutcome
	// wakes is when it looks whether it is time, changed when its key became
	// another; zero: it was asked for since.
	wakes, changed time.Time
}

// queue orders callers by when they wake.
type queue []*caller

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].wakes.Before(q[j].wakes) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*caller)) } //nolint:forcetypeassert // of this test
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// day is the whole operator's conversations on one clock.
type day struct {
	pace    *pace
	callers []*caller
	queue   queue
	start   time.Time
	now     time.Time
	recent  []time.Time
	// most is the largest number of requests in any second, gap the longest time
	// between two of one caller, first that between a change of key and a request.
	most       int
	gap, first time.Duration
	asked      map[string]int
}

func newDay(callers int, answer conditions.UpstreamOutcome) *day {
	start := time.Unix(1_000_000, 0)
	d := &day{pace: newPace(), start: start, now: start, asked: map[string]int{}}
	for range callers {
		c := &caller{talk: newTalk(true), answer: answer, wakes: start}
		c.vary, c.fresh = vary, false // all were there when the operator started
		d.callers = append(d.callers, c)
		heap.Push(&d.queue, c)
	}
	return d
}

// until lets the time pass.
func (d *day) until(end time.Duration) {
	for !d.queue[0].wakes.After(d.start.Add(end)) {
		c := d.queue[0]
		d.now = c.wakes
		switch {
		case d.now.Before(c.due):
			c.wakes = c.due
		default:
			wait := d.pace.wait(d.now, c.turn, c.rank(true))
			c.wakes = d.now.Add(wait)
			if wait == 0 {
				d.ask(c)
			}
		}
		heap.Fix(&d.queue, 0)
	}
	d.now = d.start.Add(end)
}

func (d *day) ask(c *caller) {
	method := c.method(d.now, true)
	d.asked[method]++
	if c.changed.IsZero() {
		d.gap = max(d.gap, d.now.Sub(c.last))
	} else {
		d.first = max(d.first, d.now.Sub(c.changed))
		c.changed = time.Time{}
	}
	c.last = d.now
	c.take(d.now, method, upstreamAnswer{outcome: c.answer}, c.plan)
	c.wakes = c.due
	d.recent = append(d.recent, d.now)
	for d.now.Sub(d.recent[0]) >= time.Second {
		d.recent = d.recent[1:]
	}
	d.most = max(d.most, len(d.recent))
}

// changeKey has a caller begin anew, with another key.
func (d *day) changeKey(i int, answer conditions.UpstreamOutcome) {
	c := d.callers[i]
	d.pace.leave(c.turn)
	c.upstream = newUpstream(vary)
	c.answer, c.changed, c.wakes = answer, d.now, d.now
	heap.Init(&d.queue)
}

var _ = Describe("the pace of the whole operator", func() {
	const wholeDay = 24 * time.Hour
	It("bounds what 1,000 TarsBackends ask in 24 hours, and forgets none", func() {
		d := newDay(1000, served)
		d.until(wholeDay)
		Expect(d.most).To(BeNumerically("<=", MaxUpstreamRate))
		Expect(d.gap).To(BeNumerically("<", time.Minute))
		perBackend := float64(d.asked[http.MethodGet]) / 1000
		Expect(perBackend).To(BeNumerically("~", 24*6, 24), "once each 10 minutes")
	})
	It("asks few as often as they are due", func() {
		d := newDay(1, served)
		d.until(wholeDay)
		Expect(d.asked[http.MethodGet] + d.asked[http.MethodHead]).To(BeNumerically("~", 24*60*3, 24*10))
	})
	It("is bounded for keys that are all rejected", func() {
		d := newDay(1000, rejected)
		d.until(wholeDay)
		Expect(d.most).To(BeNumerically("<=", MaxUpstreamRate))
		Expect(float64(d.asked[http.MethodGet]) / 1000).To(BeNumerically("<=", 24*60+10))
	})
	DescribeTable("lets a new key be asked for at once, at any moment of the day of 1,000 TarsBackends and two Envoys",
		func(others conditions.UpstreamOutcome, during, longest time.Duration) {
			d := newDay(2000, others)
			for at, i := time.Duration(0), 0; at < during; at, i = at+97*time.Second+13*time.Millisecond, i+2 {
				d.until(at)
				d.changeKey(i%2000, served)
				d.changeKey(i%2000+1, served)
			}
			Expect(d.first).To(BeNumerically("<=", 500*time.Millisecond))
			Expect(d.most).To(BeNumerically("<=", MaxUpstreamRate))
			Expect(d.gap).To(BeNumerically("<=", longest), "the others wait, and not for ever")
		},
		Entry("while all is well", served, wholeDay, 2*time.Minute),
		// Where all fail at a time, all have three answers in their first minutes.
		Entry("while TARS is down", down, time.Hour, 5*time.Minute), Entry("while no other key is taken", rejected, time.Hour, 5*time.Minute),
	)
	It("lets what is routine go on while all keys change again and again", func() {
		d := newDay(1000, served)
		for at := time.Duration(0); at < time.Hour; at += 5 * time.Second {
			d.until(at)
			for i := range 500 {
				d.changeKey(i, served)
			}
		}
		Expect(d.most).To(BeNumerically("<=", MaxUpstreamRate))
		for _, c := range d.callers[500:] {
			Expect(d.now.Sub(c.last)).To(BeNumerically("<=", 2*time.Minute), "500 share one turn of five")
		}
	})

	It("asks for each of 1,000 keys that come one after the other before it asks for any again", func() {
		d := newDay(1000, served)
		const every = time.Second * (urgentShare + 2) / (urgentShare * MaxUpstreamRate) // a little less than urgent ones have
		for i := range d.callers {
			d.until(time.Duration(i) * every)
			d.changeKey(i, served)
		}
		Expect(d.first).To(BeNumerically("<=", 500*time.Millisecond))
		d.until(1000*every + 5*time.Minute)
		for _, c := range d.callers {
			Expect(c.settled).To(BeNumerically(">", len(settling)), "each is asked for again until it is settled")
		}
	})

	Context("of a few", func() {
		var p *pace
		now := time.Unix(0, 0)
		slots := func(n int) time.Duration { return time.Duration(n) * time.Second / MaxUpstreamRate }
		BeforeEach(func() {
			p = newPace()
			Expect(p.wait(now, &turn{}, rankRoutine)).To(BeZero())
		})
		It("pushes the routine ones back, and keeps their order", func() {
			first, second, urgent := &turn{}, &turn{}, &turn{}
			Expect(p.wait(now, first, rankRoutine)).To(Equal(slots(1)))
			Expect(p.wait(now, second, rankRoutine)).To(Equal(slots(2)))
			Expect(p.wait(now, urgent, rankAwaited)).To(Equal(slots(1)))
			Expect(p.wait(now, first, rankRoutine)).To(Equal(slots(2)))
			Expect(p.wait(now.Add(slots(1)), urgent, rankAwaited)).To(BeZero())
			Expect(p.wait(now.Add(slots(1)), second, rankRoutine)).To(Equal(slots(2)))
			Expect(p.wait(now.Add(slots(2)), first, rankRoutine)).To(BeZero())
			Expect(p.wait(now.Add(slots(3)), second, rankRoutine)).To(BeZero())
		})
		It("lets what settles wait for what is awaited, and not for what is routine", func() {
			routine, settling, awaited, another := &turn{}, &turn{}, &turn{}, &turn{}
			Expect(p.wait(now, routine, rankRoutine)).To(Equal(slots(1)))
			Expect(p.wait(now, settling, rankSettling)).To(Equal(slots(1)))
			Expect(p.wait(now, awaited, rankAwaited)).To(Equal(slots(1)))
			Expect(p.wait(now, another, rankAwaited)).To(Equal(slots(2)))
			Expect(p.wait(now, settling, rankSettling)).To(Equal(slots(3)))
			Expect(p.wait(now, routine, rankRoutine)).To(Equal(slots(4)))
			p.leave(awaited)
			Expect(p.wait(now, another, rankAwaited)).To(Equal(slots(1)))
			Expect(p.wait(now, settling, rankSettling)).To(Equal(slots(2)))
		})
		It("lets nobody overtake one whose turn has come", func() {
			for _, r := range []rank{rankRoutine, rankSettling, rankAwaited} {
				first := &turn{}
				Expect(p.wait(now, first, r)).To(Equal(slots(1)))
				Expect(p.wait(now.Add(slots(1)), &turn{}, r)).To(Equal(slots(1)))
				Expect(p.wait(now.Add(slots(1)), &turn{}, rankRoutine)).To(BeNumerically(">", 0))
				Expect(p.wait(now.Add(slots(1)), first, r)).To(BeZero())
				*p = *newPace()
				Expect(p.wait(now, &turn{}, rankRoutine)).To(BeZero())
			}
		})
		It("has the urgent ones wait for no routine one that sleeps on", func() {
			left, asleep := &turn{}, &turn{}
			for range 10 {
				p.wait(now, left, rankRoutine)
			}
			for range urgentShare {
				p.wait(now, &turn{}, rankAwaited)
			}
			p.wait(now, asleep, rankRoutine) // for all of them
			p.leave(left)
			p.urgent, p.inARow = nil, urgentShare // their turns are over
			urgent := &turn{}
			Expect(p.wait(now, urgent, rankAwaited)).To(Equal(slots(1)), "and not two")
			Expect(p.wait(now.Add(slots(1)), &turn{}, rankAwaited)).To(BeNumerically(">", 0), "it is not overtaken")
			Expect(p.wait(now.Add(slots(1)), urgent, rankAwaited)).To(BeZero())
		})
		It("gives routine ones every fifth turn while urgent ones wait", func() {
			routine := &turn{}
			p.wait(now, routine, rankRoutine)
			for n := range urgentShare {
				at := now.Add(slots(n + 1))
				Expect(p.wait(at, &turn{}, rankAwaited)).To(BeZero())
				Expect(p.wait(at, routine, rankRoutine)).To(BeNumerically(">", 0))
			}
			at := now.Add(slots(urgentShare + 1))
			Expect(p.wait(at, &turn{}, rankAwaited)).To(BeNumerically(">", 0))
			Expect(p.wait(at, routine, rankRoutine)).To(BeZero())
		})
		It("lets one that became urgent go first", func() {
			first, second := &turn{}, &turn{}
			p.wait(now, first, rankRoutine)
			Expect(p.wait(now, second, rankRoutine)).To(Equal(slots(2)))
			Expect(p.wait(now, second, rankAwaited)).To(Equal(slots(1)))
		})
		It("gives a turn that is given back to the next", func() {
			first, second := &turn{}, &turn{}
			p.wait(now, first, rankRoutine)
			p.wait(now, second, rankRoutine)
			p.leave(first)
			Expect(p.wait(now, second, rankRoutine)).To(Equal(slots(1)))
		})
		It("waits for nobody who sleeps on because those ahead left", func() {
			first, second, third := &turn{}, &turn{}, &turn{}
			p.wait(now, first, rankRoutine)
			p.wait(now, second, rankRoutine)
			p.wait(now, third, rankRoutine)
			p.leave(first)
			p.leave(second)
			Expect(p.wait(now.Add(slots(1)), &turn{}, rankRoutine)).To(BeZero())
			Expect(p.wait(now.Add(slots(2)), third, rankRoutine)).To(BeZero())
		})
		It("waits for nobody who does not come, and has them come first when they do", func() {
			first, second, third := &turn{}, &turn{}, &turn{}
			p.wait(now, first, rankRoutine)
			p.wait(now, second, rankRoutine)
			p.wait(now, third, rankRoutine)
			Expect(p.wait(now.Add(slots(2)+1), second, rankRoutine)).To(BeZero())
			Expect(p.wait(now.Add(slots(2)+1), first, rankRoutine)).To(Equal(slots(1)))
			Expect(p.wait(now.Add(slots(3)+1), first, rankRoutine)).To(BeZero())
		})
	})
})
