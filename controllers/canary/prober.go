// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// Options of a Prober. A zero value takes the default.
type Options struct {
	// DialTimeout bounds a connection. Default 1s.
	DialTimeout time.Duration
	// AnswerTimeout bounds a whole question, the connection included.
	// Default 2s.
	AnswerTimeout time.Duration
	// FastInterval is the wait after a wrong answer. Default 250ms.
	FastInterval time.Duration
	// SlowInterval is the wait once an Envoy is verified. Default 10s.
	SlowInterval time.Duration
	// Concurrency bounds the questions asked at a time, over all objects: to
	// Envoys that answer, and to those that do not. Default 16 each.
	Concurrency int
	// Vary changes the interval of verifications. Default: by a tenth.
	Vary func(time.Duration) time.Duration
	// Logger takes changes of outcome at V(1). Default: none.
	Logger logr.Logger
	// Clock waits. Default: the real one.
	Clock clock.Clock
}

func (o *Options) setDefaults() {
	setDefault(&o.DialTimeout, time.Second)
	setDefault(&o.AnswerTimeout, 2*time.Second)
	setDefault(&o.FastInterval, 250*time.Millisecond)
	setDefault(&o.SlowInterval, 10*time.Second)
	setDefault(&o.Concurrency, 16)
	if o.Logger.GetSink() == nil {
		o.Logger = logr.Discard()
	}
	if o.Vary == nil {
		o.Vary = vary
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Prober asks the Envoys of every plan it was given. It is safe for use from
// several goroutines. It asks nothing before Start, and so only on the leader.
type Prober struct {
	opts  Options
	asker *asker
	slots *slots
	// upstreamSlots bound the requests to TARS that run at a time, pace how many
	// begin in a second.
	upstreamSlots chan struct{}
	pace          *pace
	direct        *direct
	events        chan event.GenericEvent
	wake          chan struct{}
	wg            sync.WaitGroup

	mu      sync.Mutex
	ctx     context.Context // nil before Start
	stopped bool
	objects map[types.NamespacedName]*object
	changed map[types.NamespacedName]bool
}

// object is one TarsBackend and one plan for it. A new plan makes a new
// object, so that answers to an old one cannot be mistaken for its own.
type object struct {
	plan   Plan
	cancel context.CancelFunc
	states map[Target]state
	// fresh are those whose state is normal for a moment: see conditions.Probe.
	fresh map[Target]bool
	// since is when a right answer became another one, or when the last replica was of
	// the current configuration, which rolling says is yet to come.
	since   time.Time
	rolling bool
	// upstreams hold one for each target that is marked Upstream.
	upstreams map[Target]*upstream
	// models are those that TARS told last; nil: none yet.
	models []string
	// direct is the last look at the endpoint from here.
	direct directFound
}

// state is the last that was seen of one target.
type state struct {
	outcome conditions.ProbeOutcome
	detail  string
}

// normalFor is how long after a change, or after the last replica was replaced, an
// Envoy may answer with the configuration of before: xDS takes a fraction of a second.
const normalFor = 5 * time.Second

// roll takes whether the external processor is rolling out. The lock is held.
func (o *object) roll(now time.Time, rolling bool) {
	if o.rolling && !rolling {
		o.since = now
	}
	o.rolling = rolling
}

// isFresh says that what is not right may still come right by itself.
func (o *object) isFresh(now time.Time, outcome conditions.ProbeOutcome) bool {
	return (outcome == conditions.ProbeStale || outcome == conditions.ProbeWrong) && (o.rolling || now.Before(o.since.Add(normalFor)))
}

// maxUpstreamRequests bound what waits for TARS at a time: at the bounded rate
// and with the longest wait for each, this many can be under way.
const maxUpstreamRequests = MaxUpstreamRate * int(upstreamTimeout/time.Second)

// New makes a Prober, to be added to a manager as a Runnable.
func New(opts Options) *Prober {
	opts.setDefaults()
	return &Prober{
		opts:  opts,
		asker: newAsker(opts.DialTimeout, opts.AnswerTimeout),
		slots: newSlots(opts.Concurrency, opts.Clock.Now),

		upstreamSlots: make(chan struct{}, maxUpstreamRequests),
		pace:          newPace(),
		direct:        newDirect(opts.Clock.Now),

		events:  make(chan event.GenericEvent),
		wake:    make(chan struct{}, 1),
		objects: map[types.NamespacedName]*object{},
		changed: map[types.NamespacedName]bool{},
	}
}

// Start asks until ctx ends, and returns once every question has ended.
func (p *Prober) Start(ctx context.Context) error {
	p.mu.Lock()
	if p.ctx != nil {
		p.mu.Unlock()
		return errors.New("starting the canary prober: it was started before")
	}
	p.ctx = ctx
	for key, o := range p.objects {
		p.launch(ctx, key, o)
	}
	p.mu.Unlock()

	p.deliver(ctx)

	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.wg.Wait()
	return nil
}

// Set makes plan the one that is asked for key. An equal plan changes nothing;
// another one is asked at once. What is known about an Envoy stays known while
// a right answer stays the same, until its next answer.
func (p *Prober) Set(key types.NamespacedName, plan Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, now := p.objects[key], p.opts.Clock.Now()
	if old != nil && old.plan.equal(plan) {
		old.roll(now, plan.RollingOut)
		return
	}
	plan.Targets = slices.Clone(plan.Targets)
	plan.Missing = slices.Clone(plan.Missing)
	plan.NotPossible = slices.Clone(plan.NotPossible)
	o := &object{
		plan: plan, states: firstStates(old, plan), fresh: map[Target]bool{}, upstreams: p.firstUpstreams(old, plan),
		since: now, rolling: plan.RollingOut,
	}
	if old != nil && old.plan.sameAnswer(plan) {
		o.fresh, o.since, o.rolling = maps.Clone(old.fresh), old.since, old.rolling
		o.roll(now, plan.RollingOut)
	}
	if old != nil && old.plan.Upstream.Identity == plan.Upstream.Identity {
		o.models = old.models
	}
	if old != nil {
		old.stop()
		p.leaveTurns(old, o)
	}
	p.objects[key] = o
	if p.ctx != nil && !p.stopped {
		p.launch(p.ctx, key, o)
	}
}

// firstStates is what is known before the first answer to a new plan.
func firstStates(old *object, plan Plan) map[Target]state {
	states := make(map[Target]state, len(plan.Targets))
	known := old != nil && old.plan.sameAnswer(plan)
	for _, t := range plan.Targets {
		states[t] = state{outcome: conditions.ProbePending}
		if old == nil && plan.Trust.DataPlane {
			states[t] = state{outcome: conditions.ProbeVerified}
		}
		if !known {
			continue
		}
		if s, ok := old.states[t]; ok {
			states[t] = s
		} else if old.verified() {
			states[t] = state{outcome: conditions.ProbeJoined}
		}
	}
	return states
}

// verified says that no Envoy of the plan is in doubt.
func (o *object) verified() bool {
	for _, s := range o.states {
		if !isGood(s.outcome) {
			return false
		}
	}
	return len(o.states) > 0
}

func isGood(outcome conditions.ProbeOutcome) bool {
	return outcome == conditions.ProbeVerified || outcome == conditions.ProbeJoined
}

func (o *object) stop() {
	if o.cancel != nil {
		o.cancel()
	}
}

// Forget ends the questions for key.
func (p *Prober) Forget(key types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.objects[key]; o != nil {
		o.stop()
		p.leaveTurns(o, nil)
	}
	delete(p.objects, key)
	delete(p.changed, key)
}

// Report is what was last seen for exactly this plan; nil if key has another.
func (p *Prober) Report(key types.NamespacedName, plan Plan) *conditions.CanaryReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.objects[key]
	if o == nil || !o.plan.equal(plan) {
		return nil
	}
	report := &conditions.CanaryReport{
		NotPossible: slices.Clone(o.plan.NotPossible),
		Missing:     slices.Clone(o.plan.Missing),
	}
	for _, t := range o.plan.Targets {
		report.Probes = append(report.Probes, conditions.Probe{
			Gateway: t.Gateway, Listener: t.Listener, Envoy: t.Envoy, Service: t.Service,
			Outcome: o.states[t].outcome, Detail: o.states[t].detail, Fresh: o.fresh[t],
		})
		if u := o.upstreams[t]; u != nil {
			report.Upstream = append(report.Upstream, conditions.UpstreamProbe{
				Gateway: t.Gateway, Envoy: t.Envoy, Reach: u.reach, Key: u.key,
			})
			if looksBlocked(u.reach.Outcome) {
				report.DirectReach, report.DirectProxy = o.direct.reached, o.direct.proxy
			}
		}
	}
	report.Models = slices.Clone(o.models)
	return report
}

// Events tell that a report changed. The object holds only its namespace and
// name.
func (p *Prober) Events() <-chan event.GenericEvent {
	return p.events
}

// deliver sends an event for each object that changed, until ctx ends. Changes
// that come while nobody takes the event become one.
func (p *Prober) deliver(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		for key, ok := p.nextChanged(); ok; key, ok = p.nextChanged() {
			tb := &v1alpha1.TarsBackend{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
			select {
			case <-ctx.Done():
				return
			case p.events <- event.GenericEvent{Object: tb}:
			}
		}
	}
}

func (p *Prober) nextChanged() (types.NamespacedName, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.changed {
		delete(p.changed, key)
		return key, true
	}
	return types.NamespacedName{}, false
}
