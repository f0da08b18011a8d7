// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gleak"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

const (
	soon = 10 * time.Second // for what happens at once, on a busy machine
	fast = 250 * time.Millisecond
	slow = 10 * time.Second
)

var key = types.NamespacedName{Namespace: "team", Name: "tars"}

// envoyServer answers as it is told, and counts.
type envoyServer struct {
	address string
	asked   atomic.Int64
	handler atomic.Pointer[http.HandlerFunc]
}

func newEnvoy(h http.HandlerFunc) *envoyServer {
	e := &envoyServer{}
	e.answers(h)
	e.address = serve(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Add(1)
		(*e.handler.Load())(w, r)
	})
	return e
}

func (e *envoyServer) answers(h http.HandlerFunc) { e.handler.Store(&h) }

func (e *envoyServer) target(name string) Target {
	return Target{Gateway: "infra/public", Listener: "http", Envoy: name, Address: e.address, Host: "llm.example.com"}
}

// rig is a Prober on a clock that stands still.
type rig struct {
	*Prober
	clock *testclock.FakeClock
	stop  context.CancelFunc
	ended chan error
}

func newRig(opts Options) *rig {
	r := &rig{clock: testclock.NewFakeClock(time.Unix(0, 0)), ended: make(chan error, 1)}
	opts.Clock, opts.AnswerTimeout = r.clock, time.Minute
	r.Prober = New(opts)
	return r
}

func (r *rig) start() *rig {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.ended <- r.Start(ctx) }()
	DeferCleanup(func() {
		cancel()
		Eventually(r.ended, soon).Should(Receive(BeNil()))
	})
	return r
}

// waiting waits until that many targets wait for the clock.
func (r *rig) waiting(n int) {
	GinkgoHelper()
	Eventually(r.clock.Waiters, soon).Should(Equal(n))
}

func (r *rig) outcomes(p Plan) []conditions.ProbeOutcome {
	report := r.Report(key, p)
	if report == nil {
		return nil
	}
	found := []conditions.ProbeOutcome{}
	for _, probe := range report.Probes {
		found = append(found, probe.Outcome)
	}
	return found
}

// woken waits for an event about key.
func (r *rig) woken() {
	GinkgoHelper()
	var e event.GenericEvent
	Eventually(r.Events(), soon).Should(Receive(&e))
	Expect(types.NamespacedName{Namespace: e.Object.GetNamespace(), Name: e.Object.GetName()}).To(Equal(key))
}

// quiet says that nothing is asked and no event comes while the clock stands.
func (r *rig) quiet(e *envoyServer, asked int64) {
	GinkgoHelper()
	Expect(e.asked.Load()).To(Equal(asked))
	Consistently(r.Events(), 20*time.Millisecond).ShouldNot(Receive())
	Expect(e.asked.Load()).To(Equal(asked))
}

var _ = Describe("the prober", func() {
	BeforeEach(func() {
		before := gleak.Goroutines()
		DeferCleanup(func() { Eventually(gleak.Goroutines, soon).ShouldNot(gleak.HaveLeaked(before)) })
	})

	It("verifies after enough answers back to back, tells once, and then asks slowly, one at a time", func() {
		e := newEnvoy(right)
		plan := testPlan(e.target("eg/e1"))
		r := newRig(Options{}).start()
		r.Set(key, plan)
		r.woken()
		Expect(r.outcomes(plan)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeVerified}))
		r.waiting(1)
		r.quiet(e, 3)
		r.clock.Step(slow - 1)
		r.quiet(e, 3)
		r.clock.Step(1)
		Eventually(e.asked.Load, soon).Should(BeEquivalentTo(4))
		r.waiting(1)
		r.quiet(e, 4)
		r.clock.Step(slow)
		Eventually(e.asked.Load, soon).Should(BeEquivalentTo(5))
	})

	It("asks a Service less than an Envoy: it proves the way, and each Envoy is asked by itself", func() {
		e, way := newEnvoy(right), newEnvoy(right)
		front := way.target("")
		front.Service = "eg/envoy"
		plan := testPlan(e.target("eg/e1"), front)
		plan.Agreement = 25
		r := newRig(Options{}).start()
		r.Set(key, plan)
		Eventually(func() []conditions.ProbeOutcome { return r.outcomes(plan) }, soon).
			Should(Equal([]conditions.ProbeOutcome{conditions.ProbeVerified, conditions.ProbeVerified}))
		r.waiting(2)
		Expect(e.asked.Load()).To(BeEquivalentTo(25))
		Expect(way.asked.Load()).To(BeEquivalentTo(10))
		for n := range int64(6) {
			r.clock.Step(slow)
			Eventually(e.asked.Load, soon).Should(Equal(25 + n + 1))
			Eventually(way.asked.Load, soon).Should(Equal(10 + (n+1)/3))
			r.waiting(2)
		}
	})

	It("asks again fast after a wrong answer, and wants all answers anew", func() {
		e := newEnvoy(answer(404, "", ""))
		plan := testPlan(e.target("eg/e1"))
		r := newRig(Options{}).start()
		r.Set(key, plan)
		r.woken()
		probe := r.Report(key, plan).Probes[0]
		Expect(probe.Detail).To(ContainSubstring("404"))
		probe.Detail = ""
		Expect(probe).To(Equal(conditions.Probe{
			Gateway: "infra/public", Listener: "http", Envoy: "eg/e1", Outcome: conditions.ProbeWrong, Fresh: true,
		}))
		r.waiting(1)
		r.clock.Step(fast)
		Eventually(e.asked.Load, soon).Should(BeEquivalentTo(2))
		r.waiting(1)
		r.quiet(e, 2) // the same again is no news

		e.answers(right)
		r.clock.Step(fast)
		r.woken()
		Expect(r.outcomes(plan)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeVerified}))
		Expect(e.asked.Load()).To(BeEquivalentTo(5))
		r.waiting(1)

		e.answers(answer(200, "aaaa", routeHash))
		r.clock.Step(slow)
		r.woken()
		Expect(r.outcomes(plan)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeStale}))
		r.waiting(1)
		e.answers(right)
		r.clock.Step(fast)
		r.woken()
		Expect(e.asked.Load()).To(BeEquivalentTo(9))
	})

	It("takes a good Envoy's silence for a fault the second time only", func() {
		silent := hangUp
		e := newEnvoy(right)
		plan := testPlan(e.target("eg/e1"))
		r := newRig(Options{}).start()
		r.Set(key, plan)
		r.woken()
		r.waiting(1)

		e.answers(silent)
		r.clock.Step(slow)
		Eventually(e.asked.Load, soon).Should(BeEquivalentTo(4))
		r.waiting(1)
		r.quiet(e, 4)
		e.answers(right)
		r.clock.Step(fast)
		Eventually(e.asked.Load, soon).Should(BeEquivalentTo(5))
		r.waiting(1)
		r.quiet(e, 5)

		e.answers(silent)
		r.clock.Step(slow)
		Eventually(e.asked.Load, soon).Should(BeEquivalentTo(6))
		r.waiting(1)
		r.quiet(e, 6)
		Expect(r.outcomes(plan)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeVerified}))
		r.clock.Step(fast)
		r.woken()
		Expect(r.outcomes(plan)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeImpossible}))
		r.waiting(1)
		r.clock.Step(fast)
		Eventually(e.asked.Load, soon).Should(BeEquivalentTo(8))
		r.waiting(1)
		r.quiet(e, 8)
	})

	It("counts only right answers in a row", func() {
		var n atomic.Int64
		e := newEnvoy(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 3 { // one replica of several is old
				answer(200, "aaaa", routeHash)(w, r)
				return
			}
			right(w, r)
		})
		plan := testPlan(e.target("eg/e1"))
		r := newRig(Options{}).start()
		r.Set(key, plan)
		r.woken()
		Expect(r.outcomes(plan)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeStale}))
		r.waiting(1)
		r.clock.Step(fast)
		r.woken()
		Expect(e.asked.Load()).To(BeEquivalentTo(6))
	})

	It("goes on as it was when it is given an equal plan", func() {
		e := newEnvoy(right)
		r := newRig(Options{}).start()
		r.Set(key, testPlan(e.target("eg/e1")))
		r.woken()
		r.waiting(1)
		r.Set(key, testPlan(e.target("eg/e1")))
		r.waiting(1)
		r.quiet(e, 3)
	})

	It("asks at once for another configuration, knowing nothing of the answer", func() {
		e := newEnvoy(right)
		old := testPlan(e.target("eg/e1"))
		r := newRig(Options{}).start()
		r.Set(key, old)
		r.woken()
		r.waiting(1)

		release := make(chan struct{})
		e.answers(func(w http.ResponseWriter, req *http.Request) {
			<-release
			answer(200, configHash, "aaaa")(w, req)
		})
		next := testPlan(e.target("eg/e1"))
		next.RouteHash = "aaaa"
		r.Set(key, next)
		Expect(r.Report(key, old)).To(BeNil())
		Expect(r.outcomes(next)).To(Equal([]conditions.ProbeOutcome{conditions.ProbePending}))
		close(release)
		r.woken()
		Expect(r.outcomes(next)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeVerified}))
	})

	It("knows nothing of a new Envoy before all others are verified", func() {
		bad, silent := newEnvoy(answer(404, "", "")), newEnvoy(right)
		r := newRig(Options{})
		r.Set(key, testPlan(bad.target("eg/e1")))
		wider := testPlan(bad.target("eg/e1"), silent.target("eg/e2"))
		r.Set(key, wider) // the first was pending
		Expect(r.outcomes(wider)).To(Equal([]conditions.ProbeOutcome{conditions.ProbePending, conditions.ProbePending}))
	})

	It("keeps what it knows when an Envoy joins, until the new one has answered", func() {
		e := newEnvoy(right)
		release := make(chan struct{})
		joining := newEnvoy(func(w http.ResponseWriter, req *http.Request) {
			<-release
			answer(404, "", "")(w, req)
		})
		r := newRig(Options{}).start()
		r.Set(key, testPlan(e.target("eg/e1")))
		r.woken()
		wider := testPlan(e.target("eg/e1"), joining.target("eg/e2"))
		r.Set(key, wider)
		Expect(r.outcomes(wider)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeVerified, conditions.ProbeJoined}))
		close(release)
		r.woken()
		Expect(r.outcomes(wider)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeVerified, conditions.ProbeWrong}))
		r.waiting(2)

		third := testPlan(e.target("eg/e1"), joining.target("eg/e2"), joining.target("eg/e3"))
		r.Set(key, third) // one is bad: nothing is taken on trust
		Expect(r.outcomes(third)).To(Equal([]conditions.ProbeOutcome{
			conditions.ProbeVerified, conditions.ProbeWrong, conditions.ProbePending,
		}))
	})

	It("reports what the plan could not ask", func() {
		plan := testPlan()
		plan.Missing, plan.NotPossible = []string{"a"}, []string{"b"}
		r := newRig(Options{})
		r.Set(key, plan)
		Expect(r.Report(key, plan)).To(Equal(&conditions.CanaryReport{Missing: []string{"a"}, NotPossible: []string{"b"}}))
		plan.Missing[0] = "changed by the caller"
		Expect(r.Report(key, plan)).To(BeNil())
	})

	It("asks nothing before it is started, and everything then", func() {
		e := newEnvoy(right)
		r := newRig(Options{})
		r.Set(key, testPlan(e.target("eg/e1")))
		r.quiet(e, 0)
		r.start()
		r.woken()
		Expect(e.asked.Load()).To(BeEquivalentTo(3))
	})

	It("cannot be started twice, and asks nothing once stopped", func() {
		e := newEnvoy(right)
		r := newRig(Options{}).start()
		r.Set(key, testPlan(e.target("eg/e1")))
		r.woken()
		Expect(r.Start(context.Background())).To(MatchError(ContainSubstring("started before")))
		r.stop()
		Eventually(r.ended, soon).Should(Receive(BeNil()))
		r.ended <- nil // for the clean-up
		r.Set(key, testPlan(e.target("eg/e2")))
		r.quiet(e, 3)
	})

	It("stops in the middle of a question", func(ctx SpecContext) {
		asked, release := make(chan struct{}), make(chan struct{})
		e := newEnvoy(func(http.ResponseWriter, *http.Request) {
			close(asked)
			<-release
		})
		DeferCleanup(func() { close(release) })
		r := newRig(Options{}).start()
		r.Set(key, testPlan(e.target("eg/e1")))
		Eventually(ctx, asked).WithTimeout(soon).Should(BeClosed())
		r.stop()
		Eventually(r.ended, soon).Should(Receive(BeNil()))
		r.ended <- nil
		Expect(r.outcomes(testPlan(e.target("eg/e1")))).To(Equal([]conditions.ProbeOutcome{conditions.ProbePending}))
	})

	It("forgets, and leaves no goroutine behind", func() {
		e := newEnvoy(right)
		r := newRig(Options{}).start()
		before := gleak.Goroutines()
		r.Set(key, testPlan(e.target("eg/e1"), e.target("eg/e2")))
		r.waiting(2)
		r.Forget(key)
		Expect(r.Report(key, testPlan(e.target("eg/e1"), e.target("eg/e2")))).To(BeNil())
		r.waiting(0)
		Eventually(gleak.Goroutines, soon).ShouldNot(gleak.HaveLeaked(before))
		r.Forget(key) // twice is harmless
	})

	It("makes one event of what nobody took", func() {
		e := newEnvoy(answer(404, "", ""))
		plan := testPlan(e.target("eg/e1"))
		r := newRig(Options{}).start()
		r.Set(key, plan)
		for i := range 4 { // Wrong, Verified, Wrong, Verified: none is taken
			r.waiting(1)
			e.answers([]http.HandlerFunc{right, answer(404, "", "")}[i%2])
			r.clock.Step(slow)
			want := []conditions.ProbeOutcome{conditions.ProbeVerified, conditions.ProbeWrong}[i%2]
			Eventually(func() []conditions.ProbeOutcome { return r.outcomes(plan) }, soon).Should(ConsistOf(want))
		}
		r.woken() // the one that was on offer
		r.woken() // all that came since
		Consistently(r.Events(), 20*time.Millisecond).ShouldNot(Receive())
	})

	It("tells nothing about what was forgotten meanwhile", func() {
		e := newEnvoy(right)
		other := types.NamespacedName{Namespace: "team", Name: "other"}
		r := newRig(Options{}).start()
		r.Set(key, testPlan(e.target("eg/e1")))
		r.waiting(1) // its event is on offer
		Eventually(func() int {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.changed)
		}, soon).Should(BeZero())
		r.Set(other, testPlan(e.target("eg/e1")))
		r.waiting(2)
		r.Forget(other)
		r.woken()
		Consistently(r.Events(), 20*time.Millisecond).ShouldNot(Receive())
	})

	It("takes no answer to a plan that was replaced", func() {
		r := newRig(Options{})
		old, next := testPlan(Target{Envoy: "eg/e1"}), testPlan(Target{Envoy: "eg/e2"})
		r.Set(key, old)
		replaced := r.objects[key]
		r.Set(key, next)
		r.record(key, replaced, old.Targets[0], state{outcome: conditions.ProbeVerified})
		Expect(r.changed).To(BeEmpty())
		Expect(r.outcomes(next)).To(Equal([]conditions.ProbeOutcome{conditions.ProbePending}))
	})

	It("asks no more at a time than it may, and everybody in the end", func() {
		const bound, envoys = 2, 6
		var mu sync.Mutex
		running, most := 0, 0
		e := newEnvoy(func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			right(w, req)
			mu.Lock()
			running--
			mu.Unlock()
		})
		var targets []Target
		for i := range envoys {
			targets = append(targets, e.target("eg/e"+string(rune('0'+i))))
		}
		plan := testPlan(targets...)
		plan.Agreement = 20
		r := newRig(Options{Concurrency: bound}).start()
		r.Set(key, plan)
		r.waiting(envoys)
		Expect(e.asked.Load()).To(BeEquivalentTo(envoys * 20))
		mu.Lock()
		defer mu.Unlock()
		Expect(most).To(And(BeNumerically(">", 0), BeNumerically("<=", bound)))
	})
})

var _ = Describe("the prober, after a change", func() {
	fresh := func(r *rig, p Plan) bool {
		report := r.Report(key, p)
		return report != nil && report.Probes[0].Fresh
	}
	// until has the clock go on in steps of the fast interval, and says how long it took.
	until := func(r *rig, condition func() bool) time.Duration {
		GinkgoHelper()
		start := r.clock.Now()
		for !condition() {
			Expect(r.clock.Since(start)).To(BeNumerically("<", time.Minute))
			r.waiting(1)
			r.clock.Step(fast)
			r.waiting(1)
		}
		return r.clock.Since(start)
	}
	It("takes an older configuration for normal for five seconds, and tells when it no longer is", func() {
		e := newEnvoy(answer(200, configHash, "aaaa"))
		plan := testPlan(e.target("eg/e1"))
		r := newRig(Options{}).start()
		r.Set(key, plan)
		r.woken()
		r.waiting(1)
		Expect(r.outcomes(plan)).To(Equal([]conditions.ProbeOutcome{conditions.ProbeStale}))
		Expect(fresh(r, plan)).To(BeTrue())
		Expect(until(r, func() bool { return !fresh(r, plan) })).To(BeNumerically("~", normalFor, fast))
		r.woken()

		By("keeping to it over another plan with the same right answer")
		other := plan
		other.Agreement++
		r.Set(key, other)
		Expect(fresh(r, other)).To(BeFalse())
	})
	It("takes it for normal while replicas are replaced, and five seconds more", func() {
		e := newEnvoy(answer(200, "aaaa", routeHash))
		plan := testPlan(e.target("eg/e1"))
		plan.RollingOut = true
		r := newRig(Options{}).start()
		r.drain()
		r.Set(key, plan)
		start := r.clock.Now()
		until(r, func() bool { return r.clock.Since(start) > 2*normalFor })
		Expect(fresh(r, plan)).To(BeTrue())

		plan.RollingOut = false
		r.Set(key, plan)
		Expect(until(r, func() bool { return !fresh(r, plan) })).To(BeNumerically("~", normalFor, lateInterval))
	})
	It("takes it for a fault at once where nothing changed", func() {
		e := newEnvoy(right)
		plan := testPlan(e.target("eg/e1"))
		r := newRig(Options{}).start()
		r.drain()
		r.Set(key, plan)
		r.waiting(1)
		e.answers(answer(200, "aaaa", routeHash))
		r.clock.Step(slow)
		Eventually(func() []conditions.ProbeOutcome { return r.outcomes(plan) }, soon).
			Should(Equal([]conditions.ProbeOutcome{conditions.ProbeStale}))
		Expect(fresh(r, plan)).To(BeFalse())
	})
})
