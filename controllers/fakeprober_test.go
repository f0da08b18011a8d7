// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"reflect"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/canary"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// fakeProber plays the prober: its Envoys answer as told by namespace, and
// rightly when not told otherwise. Like the real one it answers later, and
// wakes the reconciler.
type fakeProber struct {
	mu       sync.Mutex
	plans    map[types.NamespacedName]canary.Plan
	answered map[types.NamespacedName]bool
	outcomes map[string]conditions.Probe
	// upstreams are what TARS answers through the Envoys of a namespace; rightly
	// when not told otherwise, and with these models.
	upstreams map[string]conditions.UpstreamProbe
	models    []string
	// trusts are those of the last plans.
	trusts map[types.NamespacedName]canary.Trust
	events chan event.GenericEvent
}

func newFakeProber() *fakeProber {
	return &fakeProber{
		plans: map[types.NamespacedName]canary.Plan{}, answered: map[types.NamespacedName]bool{},
		outcomes: map[string]conditions.Probe{}, upstreams: map[string]conditions.UpstreamProbe{}, trusts: map[types.NamespacedName]canary.Trust{},
		models: []string{"gpt-4o-mini", "claude-haiku-4-5"}, events: make(chan event.GenericEvent, 1024),
	}
}

func (p *fakeProber) Set(name types.NamespacedName, plan canary.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trusts[name] = plan.Trust
	plan.Trust = canary.Trust{} // makes no plan another one
	if old, ok := p.plans[name]; ok && reflect.DeepEqual(old, plan) {
		return
	}
	p.plans[name] = plan
	p.answered[name] = false
	go p.answer(name, plan)
}

func (p *fakeProber) answer(name types.NamespacedName, plan canary.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if current, ok := p.plans[name]; !ok || !reflect.DeepEqual(current, plan) {
		return
	}
	p.answered[name] = true
	p.wake(name)
}

func (p *fakeProber) wake(name types.NamespacedName) {
	p.events <- event.GenericEvent{Object: &v1alpha1.TarsBackend{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name},
	}}
}

func (p *fakeProber) Forget(name types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.plans, name)
	delete(p.answered, name)
}

func (p *fakeProber) Report(name types.NamespacedName, plan canary.Plan) *conditions.CanaryReport {
	plan.Trust = canary.Trust{}
	p.mu.Lock()
	defer p.mu.Unlock()
	if current, ok := p.plans[name]; !ok || !p.answered[name] || !reflect.DeepEqual(current, plan) {
		return nil
	}
	report := &conditions.CanaryReport{NotPossible: slices.Clone(plan.NotPossible), Missing: slices.Clone(plan.Missing)}
	for _, t := range plan.Targets {
		probe := conditions.Probe{Outcome: conditions.ProbeVerified}
		if told, ok := p.outcomes[name.Namespace]; ok {
			probe = told
		}
		probe.Gateway, probe.Listener, probe.Envoy, probe.Service = t.Gateway, t.Listener, t.Envoy, t.Service
		report.Probes = append(report.Probes, probe)
		if t.Upstream {
			answers, ok := p.upstreams[name.Namespace]
			if !ok {
				good := conditions.UpstreamVerdict{Outcome: conditions.UpstreamServed}
				answers = conditions.UpstreamProbe{Reach: good, Key: good}
			}
			answers.Gateway, answers.Envoy = t.Gateway, t.Envoy
			report.Upstream = append(report.Upstream, answers)
		}
	}
	report.Models = slices.Clone(p.models)
	return report
}

func (p *fakeProber) Events() <-chan event.GenericEvent { return p.events }

// tell has the Envoys of a namespace answer so from now on.
func (p *fakeProber) tell(namespace string, outcome conditions.ProbeOutcome, detail string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outcomes[namespace] = conditions.Probe{Outcome: outcome, Detail: detail}
	p.wakeAll(namespace)
}

// tellUpstream has TARS answer so through the Envoys of a namespace.
func (p *fakeProber) tellUpstream(namespace string, reach, key conditions.UpstreamOutcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstreams[namespace] = conditions.UpstreamProbe{
		Reach: conditions.UpstreamVerdict{Outcome: reach, Detail: "told"}, Key: conditions.UpstreamVerdict{Outcome: key, Detail: "told"},
	}
	p.wakeAll(namespace)
}

// wakeAll tells of every plan of a namespace. The lock is held.
func (p *fakeProber) wakeAll(namespace string) {
	for name := range p.plans {
		if name.Namespace == namespace {
			p.wake(name)
		}
	}
}

// trust is what the reconciler said last of what was known before.
func (p *fakeProber) trust(name types.NamespacedName) canary.Trust {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trusts[name]
}

// plan is what the reconciler has asked for.
func (p *fakeProber) plan(name types.NamespacedName) (canary.Plan, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	plan, ok := p.plans[name]
	return plan, ok
}
