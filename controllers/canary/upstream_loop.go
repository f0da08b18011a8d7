// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// conversation is with one target, for one plan of an object.
type conversation struct {
	key types.NamespacedName
	*object
	target Target
}

// askTARS asks TARS through a target's Envoy if it is time, and returns how long
// it is until the next time. Only an Envoy that serves the current configuration
// is asked: s is what its canary told.
func (p *Prober) askTARS(ctx context.Context, c conversation, s state) time.Duration {
	u := c.upstreams[c.target]
	if s.outcome == conditions.ProbeImpossible {
		verdict := conditions.UpstreamVerdict{Outcome: conditions.UpstreamImpossible, Detail: s.detail}
		p.recordUpstream(c, nil, func() { u.reach, u.key = verdict, verdict })
	}
	if s.outcome != conditions.ProbeVerified {
		return p.opts.SlowInterval
	}
	for ctx.Err() == nil {
		wait := p.untilTurn(ctx, c.plan.Upstream.Verify, u)
		switch {
		case wait == 0:
			p.askOnce(ctx, c, u)
		case wait > p.pace.every || !p.sleep(ctx, wait):
			return wait
		}
	}
	return p.opts.SlowInterval
}

// untilTurn is how long it is until TARS may be asked; 0: now. A conversation that
// another plan ended takes no turn: its place in the queue is no longer its own.
func (p *Prober) untilTurn(ctx context.Context, verify bool, u *upstream) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.opts.Clock.Now()
	if ctx.Err() != nil {
		return p.opts.SlowInterval
	}
	if now.Before(u.due) {
		return u.due.Sub(now)
	}
	wait := p.pace.wait(now, u.turn, u.rank(verify))
	u.asking = u.asking || wait == 0 // until an answer comes
	return wait
}

// leaveTurns gives back the places in the queue that no other plan took over.
func (p *Prober) leaveTurns(o, next *object) {
	for t, u := range o.upstreams {
		if next == nil || next.upstreams[t] == nil || next.upstreams[t].turn != u.turn {
			p.pace.leave(u.turn)
		}
	}
}

func (p *Prober) askOnce(ctx context.Context, c conversation, u *upstream) {
	plan := c.plan.Upstream
	method := u.method(p.opts.Clock.Now(), plan.Verify)
	select {
	case <-ctx.Done():
		return
	case p.upstreamSlots <- struct{}{}:
	}
	answer := <-aside(func() upstreamAnswer { return p.asker.askUpstream(ctx, c.plan, c.target, method) })
	<-p.upstreamSlots
	if ctx.Err() != nil {
		return
	}
	now := p.opts.Clock.Now()
	p.recordUpstream(c, answer.models, func() { u.take(now, method, answer, plan) })
	if looksBlocked(u.reach.Outcome) {
		found := p.direct.look(ctx, plan)
		p.recordUpstream(c, nil, func() { c.direct = found })
	}
}

// recordUpstream makes a change to what is known, and tells if the verdicts are
// others than before. models replace the list that is known, unless they are nil.
func (p *Prober) recordUpstream(c conversation, models []string, change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, directBefore := c.verdicts(), c.direct
	change()
	news := directBefore != c.direct
	for t, v := range c.verdicts() {
		news = news || before[t] != v
	}
	if models != nil && !sameModels(c.models, models) {
		c.models, news = models, true
	}
	if news {
		p.tell(c.key, c.object)
	}
}

// verdicts are those of every Envoy.
func (o *object) verdicts() map[Target][2]conditions.UpstreamVerdict {
	found := make(map[Target][2]conditions.UpstreamVerdict, len(o.upstreams))
	for t, u := range o.upstreams {
		found[t] = [2]conditions.UpstreamVerdict{u.reach, u.key}
	}
	return found
}

// sameModels says that two lists name the same models; order tells nothing.
func sameModels(a, b []string) bool {
	if len(a) != len(b) || (a == nil) != (b == nil) {
		return false
	}
	known := make(map[string]bool, len(a))
	for _, id := range a {
		known[id] = true
	}
	for _, id := range b {
		if !known[id] {
			return false
		}
	}
	return true
}

// firstUpstreams is what is known of the way to TARS before the first answer to
// a new plan.
func (p *Prober) firstUpstreams(old *object, plan Plan) map[Target]*upstream {
	upstreams := map[Target]*upstream{}
	known := old != nil && old.plan.Upstream.Identity == plan.Upstream.Identity && old.plan.Upstream.Verify == plan.Upstream.Verify
	for _, t := range plan.Targets {
		if !t.Upstream {
			continue
		}
		u := newUpstream(p.opts.Vary)
		if old == nil {
			u.trust(plan.Trust)
			u.fresh = !u.good(plan.Upstream.Verify)
		}
		if known {
			if before, ok := old.upstreams[t]; ok {
				kept := *before
				u = &kept // with its place in the queue
				if !old.plan.sameAnswer(plan) {
					u.forgetStale(p.opts.Clock.Now())
				}
				if old.plan.Upstream.Interval != plan.Upstream.Interval {
					kept.verifyWithin(p.opts.Clock.Now(), plan.Upstream)
				}
			} else if old.allGood() {
				u.reach.Outcome, u.key.Outcome = conditions.UpstreamJoined, conditions.UpstreamJoined
			}
		}
		upstreams[t] = u
	}
	return upstreams
}

// allGood says that TARS answers through every Envoy.
func (o *object) allGood() bool {
	for _, u := range o.upstreams {
		if !u.good(o.plan.Upstream.Verify) && u.reach.Outcome != conditions.UpstreamJoined {
			return false
		}
	}
	return len(o.upstreams) > 0
}

// vary changes an interval by a tenth at most.
func vary(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // no secret
}
