// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// launch begins to ask every target of an object. The lock is held.
func (p *Prober) launch(ctx context.Context, key types.NamespacedName, o *object) {
	ctx, cancel := context.WithCancel(ctx)
	o.cancel = cancel
	for _, t := range o.plan.Targets {
		p.wg.Go(func() { p.ask(ctx, key, o, t) })
	}
}

// impatience is how many times a target is asked fast before it is asked only
// each lateInterval: what is wrong for so long waits for a human.
const (
	impatience   = 40
	lateInterval = 2 * time.Second
)

// serviceShare is after how many questions to a verified Envoy the Service in front of it
// is asked one: what goes wrong with it alone is rare.
const serviceShare = 3

// ask asks one target until ctx ends. It takes Agreement right answers back to
// back to verify it; from then on one at a time has to stay right.
func (p *Prober) ask(ctx context.Context, key types.NamespacedName, o *object, t Target) {
	needed, wrong, doubted := o.plan.agreement(t), 0, false
	for {
		s := p.agree(ctx, o.plan, t, needed)
		if ctx.Err() != nil {
			return
		}
		if !doubted && isSilence(s.outcome) && p.isGood(o, t) {
			doubted = true
			if !p.sleep(ctx, p.opts.FastInterval) {
				return
			}
			continue
		}
		doubted = false
		p.record(key, o, t, s)
		var wait time.Duration
		switch {
		case s.outcome == conditions.ProbeVerified:
			wait, needed, wrong = p.opts.SlowInterval, 1, 0
			if t.Service != "" {
				wait *= serviceShare
			}
		case wrong >= impatience:
			wait, needed = lateInterval, o.plan.agreement(t)
		default:
			wait, needed = p.opts.FastInterval, o.plan.agreement(t)
			wrong++
		}
		if t.Upstream {
			wait = min(wait, p.askTARS(ctx, conversation{key, o, t}, s))
		}
		if !p.sleep(ctx, wait) {
			return
		}
	}
}

// isSilence says that no answer came: a packet that is lost, or an Envoy that leaves
// while its endpoint still is in the list, looks like a fault for a moment. So a good
// target is asked twice before its silence counts.
func isSilence(outcome conditions.ProbeOutcome) bool {
	return outcome == conditions.ProbeUnreachable || outcome == conditions.ProbeImpossible
}

// isGood says that nothing is known against a target.
func (p *Prober) isGood(o *object, t Target) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return isGood(o.states[t].outcome)
}

// agree asks until needed answers were right, or one was wrong.
func (p *Prober) agree(ctx context.Context, plan Plan, t Target, needed int) state {
	s := state{outcome: conditions.ProbePending}
	for right := 0; right < max(1, needed); right += perConnection {
		release := p.slots.take(ctx, t.Address)
		if release == nil {
			return s
		}
		s = <-aside(func() state { return p.asker.row(ctx, plan, t, min(perConnection, max(1, needed)-right)) })
		release()
		if ctx.Err() == nil {
			p.slots.note(t.Address, isSilence(s.outcome))
		}
		if s.outcome != conditions.ProbeVerified {
			return s
		}
	}
	return s
}

// aside runs what needs a deep stack in a goroutine of its own: those that sleep
// between questions, two and more for each TarsBackend, keep theirs small.
func aside[T any](run func() T) <-chan T {
	result := make(chan T, 1)
	go func() { result <- run() }()
	return result
}

// record keeps what was seen, and marks the object if that changed anything.
func (p *Prober) record(key types.NamespacedName, o *object, t Target, s state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := o.isFresh(p.opts.Clock.Now(), s.outcome)
	if p.objects[key] != o || (o.states[t] == s && o.fresh[t] == fresh) {
		return
	}
	o.states[t], o.fresh[t] = s, fresh
	p.tell(key, o)
	p.opts.Logger.V(1).Info("Canary outcome changed", "tarsbackend", key.String(), "gateway", t.Gateway,
		"listener", t.Listener, "envoy", t.Envoy, "service", t.Service, "outcome", string(s.outcome), "detail", s.detail)
}

// tell marks an object as changed, unless another plan took its place. The lock
// is held.
func (p *Prober) tell(key types.NamespacedName, o *object) {
	if p.objects[key] != o {
		return
	}
	p.changed[key] = true
	select {
	case p.wake <- struct{}{}:
	default: // deliver is awake, or about to be
	}
}

// sleep waits, and says whether ctx is still alive.
func (p *Prober) sleep(ctx context.Context, d time.Duration) bool {
	timer := p.opts.Clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C():
		return true
	}
}
