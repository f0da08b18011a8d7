// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// tars is an Envoy that serves, and what is behind it.
type tars struct {
	*envoyServer

	mu       sync.Mutex
	requests []string // methods of what got through
	tickets  []string
	answer   atomic.Pointer[http.HandlerFunc]
}

func newTARS(answer http.HandlerFunc) *tars {
	b := &tars{}
	b.says(answer)
	b.envoyServer = newEnvoy(func(w http.ResponseWriter, r *http.Request) {
		ticket := r.Header.Get(config.HeaderProbe)
		if ticket == "" {
			right(w, r)
			return
		}
		b.mu.Lock()
		b.requests = append(b.requests, r.Method)
		b.tickets = append(b.tickets, ticket)
		b.mu.Unlock()
		stamp(w, configHash, routeHash)
		(*b.answer.Load())(w, r)
	})
	return b
}

func (b *tars) says(h http.HandlerFunc) { b.answer.Store(&h) }

func (b *tars) got() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests)
}

// upstreamSays answers in TARS's name.
func upstreamSays(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(config.HeaderProbe, config.ProbeFromTARS)
		w.Header().Set("content-type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) //nolint:errcheck // to a test's client
	}
}

func envoySays(details string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(config.HeaderProbe, config.ProbeFromGateway)
		w.Header().Set(config.HeaderProbeDetails, details)
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

const list = `{"data":[{"id":"b"},{"id":"a"}]}`

func (b *tars) plan(identity string) Plan {
	t := b.target("eg/e1")
	t.Upstream = true
	p := testPlan(t)
	p.Upstream = Upstream{Identity: identity, PassToken: "token", Verify: true, Interval: interval}
	return p
}

func (r *rig) upstreams(p Plan) []conditions.UpstreamProbe {
	report := r.Report(key, p)
	if report == nil {
		return nil
	}
	return report.Upstream
}

// verdicts waits for what is known of the way to TARS.
func (r *rig) verdicts(p Plan, want ...conditions.UpstreamOutcome) {
	GinkgoHelper()
	Eventually(func() []conditions.UpstreamOutcome {
		var found []conditions.UpstreamOutcome
		for _, u := range r.upstreams(p) {
			found = append(found, u.Reach.Outcome, u.Key.Outcome)
		}
		return found
	}, soon).Should(Equal(want))
}

// drain takes the events there are.
func (r *rig) drain() {
	go func() {
		for range r.Events() {
		}
	}()
}

var _ = Describe("the prober and TARS", func() {
	It("asks through an Envoy that serves, tells the models, and uses each ticket once", func() {
		b := newTARS(upstreamSays(200, list))
		plan := b.plan("one")
		r := newRig(Options{}).start()
		r.Set(key, plan)
		r.verdicts(plan, served, served)
		r.woken()
		r.waiting(1)
		Expect(r.Report(key, plan).Models).To(Equal([]string{"b", "a"}))
		for range 5 {
			r.clock.Step(slow)
			r.waiting(1)
		}
		Expect(b.got()).To(Equal([]string{"GET", "GET", "GET", "GET", "HEAD"}))
		seen := map[string]bool{}
		for _, ticket := range b.tickets {
			_, err := config.CheckProbeTicket("token", ticket, time.Now())
			Expect(err).NotTo(HaveOccurred())
			seen[ticket] = true
		}
		Expect(seen).To(HaveLen(5))
	})
	It("does not ask before the Envoy serves the current configuration", func() {
		b := newTARS(upstreamSays(200, list))
		plan := b.plan("one")
		plan.RouteHash = "aaaa"
		r := newRig(Options{}).start()
		r.Set(key, plan)
		r.woken()
		r.waiting(1)
		Expect(b.got()).To(BeEmpty())
		r.verdicts(plan, pending, pending)
	})
	It("asks at once for another key, knowing nothing of it, and keeps what it knows over any other change", func() {
		b := newTARS(upstreamSays(200, list))
		r := newRig(Options{}).start()
		r.Set(key, b.plan("one"))
		r.verdicts(b.plan("one"), served, served)
		r.woken()
		r.waiting(1)
		other := b.plan("one")
		other.Agreement++
		r.Set(key, other)
		Expect(r.upstreams(other)[0].Reach.Outcome).To(Equal(served))
		r.waiting(1)
		Expect(b.got()).To(HaveLen(1))

		b.says(upstreamSays(401, `{"error":{"code":401}}`))
		rotated := b.plan("two")
		r.Set(key, rotated) // its turn has not come yet
		r.verdicts(rotated, pending, pending)
		Expect(r.Report(key, rotated).Models).To(BeNil())
		Eventually(func() conditions.UpstreamOutcome {
			r.clock.Step(retryAnswer)
			return r.upstreams(rotated)[0].Key.Outcome
		}, soon).Should(Equal(rejected))
		r.verdicts(rotated, served, rejected)
	})
	It("keeps to an interval that became shorter, from the change on", func() {
		b := newTARS(upstreamSays(200, list))
		r := newRig(Options{Vary: exactly})
		plan := b.plan("one")
		plan.Upstream.Interval = 24 * time.Hour
		r.Set(key, plan)
		known := settled()
		known.verifyDue = r.clock.Now().Add(24 * time.Hour)
		*r.objects[key].upstreams[plan.Targets[0]] = *known.upstream

		plan.Upstream.Interval = time.Minute
		r.Set(key, plan)
		next := r.objects[key].upstreams[plan.Targets[0]]
		Expect(next.method(r.clock.Now().Add(time.Minute-1), true)).To(Equal(http.MethodHead))
		Expect(next.method(r.clock.Now().Add(time.Minute), true)).To(Equal(http.MethodGet))

		plan.Upstream.Interval = time.Hour
		r.Set(key, plan)
		next = r.objects[key].upstreams[plan.Targets[0]]
		Expect(next.method(r.clock.Now().Add(time.Minute), true)).To(Equal(http.MethodGet), "one that is due sooner stays")
	})
	It("knows nothing against an Envoy that joins good ones", func() {
		b := newTARS(upstreamSays(200, list))
		r := newRig(Options{}).start()
		plan := b.plan("one")
		r.Set(key, plan)
		r.verdicts(plan, served, served)
		joining := newTARS(upstreamSays(200, list))
		second := joining.target("eg/e2")
		second.Upstream = true // its turn has not come yet
		wider := b.plan("one")
		wider.Targets = append(wider.Targets, second)
		r.Set(key, wider)
		r.verdicts(wider, served, served, conditions.UpstreamJoined, conditions.UpstreamJoined)
		r.waiting(2)
		r.clock.Step(time.Second / MaxUpstreamRate)
		r.verdicts(wider, served, served, served, served)
	})
	It("believes what was known before the operator started until the first answers", func() {
		e := newEnvoy(answer(404, "", ""))
		t := e.target("eg/e1")
		t.Upstream = true
		plan := testPlan(t)
		plan.Upstream = Upstream{Identity: "one", Verify: true, Interval: interval}
		plan.Trust = Trust{DataPlane: true, Upstream: true, Key: true}
		r := newRig(Options{})
		r.Set(key, plan)
		Expect(r.outcomes(plan)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeVerified}))
		r.verdicts(plan, served, served)
		r.start()
		r.woken()
		Expect(r.outcomes(plan)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeWrong}))

		again := plan
		again.Trust = Trust{}
		Expect(r.Report(key, again)).NotTo(BeNil(), "it makes no plan another one")
		changed := plan
		changed.RouteHash, changed.Upstream.Identity = "aaaa", "two"
		r.Set(key, changed)
		Expect(r.outcomes(changed)).To(Equal([]conditions.ProbeOutcome{conditions.ProbePending}), "only the first plan is trusted")
		r.verdicts(changed, pending, pending)
	})
	It("believes no more than was known", func() {
		e := newEnvoy(right)
		t := e.target("eg/e1")
		t.Upstream = true
		plan := testPlan(t)
		plan.Trust = Trust{Upstream: true}
		r := newRig(Options{})
		r.Set(key, plan)
		Expect(r.outcomes(plan)).To(Equal([]conditions.ProbeOutcome{conditions.ProbePending}))
		r.verdicts(plan, served, pending)
	})
	It("tells each change of a verdict once", func() {
		b := newTARS(envoySays("no_healthy_upstream"))
		plan := b.plan("one")
		r := newRig(Options{}).start()
		r.Set(key, plan)
		r.drain()
		for range 2 {
			r.waiting(1)
			r.clock.Step(retryConnection)
		}
		r.verdicts(plan, conditions.UpstreamNoAddress, pending)
		Expect(r.upstreams(plan)[0].Reach.Detail).To(ContainSubstring("no healthy upstream"))
		Expect(r.Report(key, plan).DirectReach).To(BeFalse())
	})
	It("says so where the canary itself is barred", func() {
		e := newEnvoy(right)
		t := e.target("eg/e1")
		t.Upstream = true
		t.Address = converseAndClose()
		plan := testPlan(t)
		r := newRig(Options{}).start()
		r.Set(key, plan)
		r.verdicts(plan, barred, barred)
	})
	It("asks once a turn while many wait", func() {
		b := newTARS(upstreamSays(200, list))
		plan := b.plan("one")
		for i := range 9 {
			t := plan.Targets[0]
			t.Envoy = "eg/f" + string(rune('0'+i))
			plan.Targets = append(plan.Targets, t)
		}
		r := newRig(Options{}).start()
		r.drain()
		r.Set(key, plan)
		r.waiting(10)
		Expect(b.got()).To(HaveLen(1), "the others have later turns")
		for n := range 9 {
			r.clock.Step(time.Second / MaxUpstreamRate)
			r.waiting(10)
			Expect(b.got()).To(HaveLen(n + 2))
		}
	})
})

var _ = DescribeTable("two lists of models", func(a, b []string, same bool) {
	Expect(sameModels(a, b)).To(Equal(same))
},
	Entry("of another order", []string{"a", "b"}, []string{"b", "a"}, true),
	Entry("of another model", []string{"a", "b"}, []string{"a", "c"}, false),
	Entry("of another length", []string{"a"}, []string{"a", "b"}, false),
	Entry("none and not known", []string{}, nil, false),
)

var _ = It("the prober does not take a page in place of TARS for an answer, where the key is not to be verified", func() {
	b := newTARS(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(config.HeaderProbe, config.ProbeFromTARS)
		w.Header().Set("content-type", "text/html")
		_, _ = w.Write([]byte("<html>sign in</html>")) //nolint:errcheck // to a test's client
	})
	plan := b.plan("one")
	plan.Upstream.Verify = false
	r := newRig(Options{}).start()
	r.drain()
	r.Set(key, plan)
	Eventually(func() conditions.UpstreamOutcome {
		r.clock.Step(retryAnswer)
		return r.upstreams(plan)[0].Reach.Outcome
	}, soon).Should(Equal(strange))
	Expect(b.got()[:2]).To(Equal([]string{"HEAD", "GET"}))
})

var _ = Describe("the prober, when TARS does not answer", func() {
	It("looks itself after the third failure, and tells what it found", func() {
		endpoint := httptest.NewTLSServer(http.NotFoundHandler())
		DeferCleanup(endpoint.Close)
		b := newTARS(envoySays("upstream_reset_before_response_started{connection_timeout}"))
		plan := b.plan("one")
		plan.Upstream.Endpoint, plan.Upstream.Private = endpoint.Listener.Addr().String(), true
		plan.Upstream.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: endpoint.Certificate().Raw}))
		r := newRig(Options{})
		r.direct.proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
		r.start()
		r.drain()
		r.Set(key, plan)
		for range 2 {
			r.waiting(1)
			Expect(r.Report(key, plan).DirectReach).To(BeFalse())
			r.clock.Step(retryConnection)
		}
		r.verdicts(plan, conditions.UpstreamTimeout, pending)
		Eventually(func() bool { return r.Report(key, plan).DirectReach }, soon).Should(BeTrue())

		r.waiting(1)
		b.says(upstreamSays(200, list))
		r.clock.Step(failedInterval)
		r.verdicts(plan, served, served)
		Expect(r.Report(key, plan).DirectReach).To(BeFalse(), "it is told only beside what it explains")
	})
	It("takes silence for silence, whichever clock tells of it first", func(ctx SpecContext) {
		done := make(chan struct{})
		b := newTARS(func(http.ResponseWriter, *http.Request) { <-done })
		DeferCleanup(func() { close(done) })
		plan := b.plan("one")
		for range 50 {
			short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			a := newAsker(time.Second, time.Second).askUpstream(short, plan, plan.Targets[0], http.MethodHead)
			cancel()
			Expect(a.outcome).To(Equal(conditions.UpstreamTimeout))
		}
	})
	It("takes an answer from before the current configuration for none", func() {
		for _, hashes := range [][2]string{{"aaaa", routeHash}, {configHash, "aaaa"}, {"", ""}} {
			b := newTARS(func(w http.ResponseWriter, r *http.Request) {
				stamp(w, hashes[0], hashes[1])
				upstreamSays(401, `{"error":{"code":401}}`)(w, r)
			})
			plan := b.plan("one")
			a := newAsker(time.Second, time.Second).askUpstream(context.Background(), plan, plan.Targets[0], http.MethodGet)
			Expect(a).To(Equal(upstreamAnswer{stale: true}))
		}
	})
})

var _ = It("the prober varies the interval of verifications by a tenth, unless told otherwise", func() {
	vary := New(Options{}).opts.Vary
	seen := map[time.Duration]bool{}
	for range 100 {
		d := vary(interval)
		Expect(d).To(BeNumerically("~", interval, interval/10))
		seen[d] = true
	}
	Expect(len(seen)).To(BeNumerically(">", 10))
})

var _ = Describe("the prober's place in the queue", func() {
	It("outlives another plan, is given up for another key, and with the object", func() {
		b := newTARS(upstreamSays(200, list))
		r := newRig(Options{}).start()
		r.drain()
		r.pace.free = r.clock.Now().Add(time.Hour) // nobody's turn comes
		place := func(p Plan) *turn {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.objects[key].upstreams[p.Targets[0]].turn
		}
		number := func(t *turn) uint64 {
			r.mu.Lock()
			defer r.mu.Unlock()
			return t.number
		}
		plan := b.plan("one")
		r.Set(key, plan)
		first := place(plan)
		Eventually(number, soon).WithArguments(first).Should(Equal(uint64(1)))

		wider := plan
		wider.Agreement++
		r.Set(key, wider)
		Expect(place(wider)).To(BeIdenticalTo(first))
		Expect(number(first)).To(Equal(uint64(1)))

		rotated := wider
		rotated.Upstream.Identity = "two"
		r.Set(key, rotated)
		Expect(number(first)).To(BeZero())
		second := place(rotated)
		Eventually(number, soon).WithArguments(second).Should(Equal(uint64(2)))

		r.Forget(key)
		Expect(number(second)).To(BeZero())
		Expect(r.pace.urgent).To(BeEmpty())
	})
	It("of a request that another plan cut short comes first, however long it waits", func() {
		r := newRig(Options{})
		u := settled()
		u.asking, u.due = true, r.clock.Now()
		r.pace.free = r.clock.Now().Add(time.Second)
		for range 3 {
			Expect(r.untilTurn(context.Background(), true, u.upstream)).To(Equal(time.Second))
			Expect(u.turn.rank).To(Equal(rankAwaited))
		}
	})
	It("does not wait for a new configuration as for one that is late", func() {
		b := newTARS(upstreamSays(200, list))
		r := newRig(Options{})
		staled := func(p Plan) int { return r.objects[key].upstreams[p.Targets[0]].staled }
		plan := b.plan("one")
		r.Set(key, plan)
		r.objects[key].upstreams[plan.Targets[0]].staled = inARow
		plan.Agreement++
		r.Set(key, plan)
		Expect(staled(plan)).To(Equal(inARow))
		plan.ConfigHash = "another"
		r.Set(key, plan)
		Expect(staled(plan)).To(BeZero())
	})
	It("of a request that another plan cut short is urgent until an answer comes", func() {
		u := settled()
		Expect(u.rank(true)).To(Equal(rankRoutine))
		u.asking = true
		Expect(u.rank(true)).To(Equal(rankAwaited))
		u.hear(served)
		Expect(u.rank(true)).To(Equal(rankRoutine))
	})
})

var _ = It("what is known before the operator started is asked for with no precedence, unlike what is not", func() {
	b := newTARS(upstreamSays(200, list))
	plan := b.plan("one")
	plan.Trust = Trust{DataPlane: true, Upstream: true, Key: true}
	r := newRig(Options{})
	r.Set(key, plan)
	Expect(r.objects[key].upstreams[plan.Targets[0]].rank(true)).To(Equal(rankRoutine))
	plan.Upstream.Identity = "two"
	r.Set(key, plan)
	Expect(r.objects[key].upstreams[plan.Targets[0]].rank(true)).To(Equal(rankAwaited))
})
