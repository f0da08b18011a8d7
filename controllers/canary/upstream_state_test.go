// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

const interval = 10 * time.Minute

func exactly(d time.Duration) time.Duration { return d }

// talk is a conversation with TARS through one Envoy, on a clock of its own.
type talk struct {
	*upstream

	plan Upstream
	now  time.Time
	// asked are the methods, each with the time since the one before.
	asked []string
	last  time.Time
}

func newTalk(verify bool) *talk {
	start := time.Unix(1_000_000, 0)
	return &talk{upstream: newUpstream(exactly), plan: Upstream{Verify: verify, Interval: interval}, now: start, last: start}
}

// hear waits until it is time to ask, and has an answer come.
func (t *talk) hear(outcomes ...conditions.UpstreamOutcome) *talk {
	for _, outcome := range outcomes {
		if t.due.After(t.now) {
			t.now = t.due
		}
		method := t.method(t.now, t.plan.Verify)
		t.asked = append(t.asked, method+" "+t.now.Sub(t.last).String())
		t.last = t.now
		a := upstreamAnswer{outcome: outcome, detail: "d"}
		if method == http.MethodHead && outcome != conditions.UpstreamServed {
			a.outcome = conditions.UpstreamUnexpected
			t.take(t.now, method, a, t.plan)
			t.hear(outcome)
			continue
		}
		t.take(t.now, method, a, t.plan)
	}
	return t
}

func (t *talk) verdicts() []conditions.UpstreamOutcome {
	return []conditions.UpstreamOutcome{t.reach.Outcome, t.key.Outcome}
}

// settled is a conversation that went well for a while.
func settled() *talk {
	t := newTalk(true)
	for t.settled < len(settling) || t.method(t.due, true) == http.MethodGet {
		t.hear(conditions.UpstreamServed)
	}
	t.asked = nil
	return t
}

const (
	pending  = conditions.UpstreamPending
	served   = conditions.UpstreamServed
	rejected = conditions.UpstreamRejected
	refused  = conditions.UpstreamRefused
	limited  = conditions.UpstreamRateLimited
	down     = conditions.UpstreamNotServing
	strange  = conditions.UpstreamUnexpected
	broke    = conditions.UpstreamNoCredits
	barred   = conditions.UpstreamImpossible
)

var _ = Describe("the way to TARS", func() {
	It("is verified by the first good answer, soon again while Envoy may still hold the old key, and then each interval", func() {
		t := newTalk(true).hear(served)
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, served}))
		t.hear(served, served, served, served, served)
		Expect(t.asked).To(Equal([]string{"GET 0s", "GET 1s", "GET 3s", "GET 9s", "HEAD 20s", "HEAD 20s"}))
	})
	It("is asked for the models again after the interval", func() {
		t := settled()
		from := t.last
		for len(t.asked) == 0 || t.asked[len(t.asked)-1][:3] != http.MethodGet {
			t.hear(served)
		}
		Expect(t.last.Sub(from)).To(BeNumerically("~", interval, reachInterval))
		Expect(t.asked).To(HaveLen(int(interval / reachInterval)))
	})

	DescribeTable("fails after three failures in a row", func(outcome conditions.UpstreamOutcome, within time.Duration) {
		t := settled()
		from := t.last
		t.hear(outcome, outcome)
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, served}))
		t.hear(outcome)
		Expect(t.reach).To(Equal(conditions.UpstreamVerdict{Outcome: outcome, Detail: "d"}))
		Expect(t.key.Outcome).To(Equal(served), "which says nothing about the key")
		Expect(t.last.Sub(from)).To(BeNumerically("<=", within))
		// The last three may each have taken until their timeout.
		Expect(t.last.Sub(from) + 3*upstreamTimeout).To(BeNumerically("<", time.Minute))
	},
		Entry("of DNS", conditions.UpstreamNoAddress, 24*time.Second),
		Entry("of TLS", conditions.UpstreamTLS, 24*time.Second),
		Entry("by refusal", refused, 24*time.Second),
		Entry("by silence", conditions.UpstreamTimeout, 24*time.Second),
		Entry("by a break", conditions.UpstreamBroken, 24*time.Second),
		Entry("of TARS", down, 21*time.Second),
		Entry("of finding it", conditions.UpstreamNotFound, 21*time.Second),
	)
	It("is not decided by two failures of three", func() {
		t := settled().hear(refused, refused, served, refused, refused, served)
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, served}))
	})
	It("is asked again each five seconds while it fails, and good with the first answer", func() {
		t := newTalk(true).hear(refused)
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{pending, pending}))
		Expect(t.reach.Detail).To(Equal("d"), "it tells what the attempt met")
		t.hear(refused, refused, refused, refused, served)
		Expect(t.asked).To(Equal([]string{"GET 0s", "GET 2s", "GET 2s", "GET 5s", "GET 5s", "GET 5s"}))
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, served}))
	})

	DescribeTable("finds the key bad after three answers in a row", func(outcome conditions.UpstreamOutcome, reach conditions.UpstreamOutcome) {
		t := settled().hear(outcome, outcome)
		Expect(t.key.Outcome).To(Equal(served))
		t.hear(outcome)
		Expect(t.key).To(Equal(conditions.UpstreamVerdict{Outcome: outcome, Detail: "d"}))
		Expect(t.reach.Outcome).To(Equal(reach))
		Expect(t.asked).To(Equal([]string{"HEAD 20s", "GET 0s", "GET 500ms", "GET 500ms"}))
		t.asked = nil
		t.hear(outcome, outcome, outcome, outcome, outcome, served)
		Expect(t.asked).To(Equal([]string{"GET 10s", "GET 20s", "GET 40s", "GET 1m0s", "GET 1m0s", "GET 1m0s"}))
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, served}))
	},
		Entry("that reject it", rejected, served),
		Entry("that want to be paid", broke, served),
		Entry("that TARS does not give", strange, strange),
	)
	DescribeTable("finds a new key bad soon, and not for what Envoy answers with the old one for a moment",
		func(outcome conditions.UpstreamOutcome) {
			t := newTalk(true)
			start := t.now
			t.hear(outcome, outcome)
			Expect(t.key.Outcome).To(Equal(pending))
			t.hear(outcome)
			Expect(t.key.Outcome).To(Equal(outcome))
			Expect(t.asked).To(Equal([]string{"GET 0s", "GET 1s", "GET 1.5s"}))
			Expect(t.last.Sub(start)).To(And(BeNumerically(">=", 2*time.Second), BeNumerically("<", 15*time.Second)))

			By("trying it again as any other that is bad")
			t.hear(outcome)
			Expect(t.asked[3]).To(Equal("GET 10s"))
		},
		Entry("that reject it", rejected), Entry("that want to be paid", broke), Entry("that TARS does not give", strange),
	)
	It("has nothing against a new key that Envoy got a moment later than it was asked with it", func() {
		t := newTalk(true).hear(rejected, rejected, served)
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, served}))
		Expect(t.asked).To(Equal([]string{"GET 0s", "GET 1s", "GET 1.5s"}))
	})
	DescribeTable("keeps a good key good", func(outcome conditions.UpstreamOutcome) {
		t := settled()
		t.verifyDue = t.due // the next asks for the models
		for range 10 {
			t.hear(outcome)
		}
		Expect(t.key.Outcome).To(Equal(served))
	},
		Entry("under a limit", limited), Entry("while TARS is down", down), Entry("while it cannot be reached", refused),
	)
	It("keeps a bad key bad under a limit and while TARS is down", func() {
		t := newTalk(true).hear(rejected, rejected, rejected, limited, down, refused, barred)
		Expect(t.key.Outcome).To(Equal(rejected))
	})
	It("knows nothing of a key that only met a limit", func() {
		t := newTalk(true).hear(limited)
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, limited}))
		t.hear(served)
		Expect(t.asked).To(Equal([]string{"GET 0s", "GET 10s"}))
		Expect(t.key.Outcome).To(Equal(served))
	})
	It("knows nothing where it is barred, and looks again slowly", func() {
		t := newTalk(true).hear(barred, barred, served)
		Expect(t.asked).To(Equal([]string{"GET 0s", "GET 20s", "GET 20s"}))
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, served}))
	})
	It("is not taken for barred before the third time in a row", func() {
		t := settled().hear(barred, barred, served, barred, barred, served)
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, served}))
		t.hear(barred, barred, barred)
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{barred, served}))
		t.hear(served)
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, served}))
	})
	DescribeTable("through an Envoy that joined good ones is not in doubt after two failures", func(outcome conditions.UpstreamOutcome) {
		joined := conditions.UpstreamVerdict{Outcome: conditions.UpstreamJoined}
		t := newTalk(true)
		t.reach, t.key = joined, joined
		t.hear(outcome, outcome)
		Expect(t.reach.Outcome).NotTo(Or(Equal(pending), Equal(outcome)))
		Expect(t.key).To(Equal(joined))
	},
		Entry("to connect", refused), Entry("of TARS", down), Entry("to get through", barred),
		Entry("under a limit", limited), Entry("to have the key taken", rejected),
	)
	It("learns that HEAD is not known there", func() {
		t := settled()
		t.take(t.due, http.MethodHead, upstreamAnswer{outcome: strange}, t.plan)
		Expect(t.method(t.due, true)).To(Equal(http.MethodGet))
		t.hear(served, served, served)
		Expect(t.asked).To(Equal([]string{"GET 20s", "GET 20s", "GET 20s"}))
	})
	It("goes on with HEAD after one that TARS did not serve", func() {
		t := settled()
		t.take(t.due, http.MethodHead, upstreamAnswer{outcome: strange, passing: true}, t.plan)
		t.hear(served, served)
		Expect(t.asked).To(Equal([]string{"GET 20s", "HEAD 20s"}))
	})
	It("counts nothing that is not about the current configuration", func() {
		t := newTalk(true)
		stale := func() time.Duration {
			t.take(t.now, http.MethodGet, upstreamAnswer{stale: true}, t.plan)
			return t.due.Sub(t.now)
		}
		Expect([]time.Duration{stale(), stale(), stale(), stale()}).To(Equal([]time.Duration{
			time.Second, time.Second, 5 * time.Second, 5 * time.Second,
		}), "and does not go on fast for ever")
		Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{pending, pending}))
		t.hear(served)
		Expect(stale()).To(Equal(time.Second))
	})

	It("makes ready for another configuration", func() {
		t := newTalk(true).hear(served)
		due := t.due
		t.forgetStale(t.now)
		Expect(t.due).To(Equal(due))
		t.take(t.now, http.MethodGet, upstreamAnswer{stale: true}, t.plan)
		t.forgetStale(t.now)
		Expect(t.due).To(Equal(t.now))
		Expect(t.staled).To(BeZero())
	})
	DescribeTable("has its turn", func(talking func() *talk, want rank) { Expect(talking().rank(true)).To(Equal(want)) },
		Entry("first for the first word", func() *talk { return newTalk(true) }, rankAwaited),
		Entry("after others while it settles", func() *talk { return newTalk(true).hear(served) }, rankSettling),
		Entry("first where a failure comes while it settles", func() *talk { return newTalk(true).hear(served, down) }, rankAwaited),
		Entry("first where a refusal comes while it settles", func() *talk { return newTalk(true).hear(served, rejected) }, rankAwaited),
		Entry("last once it is settled", settled, rankRoutine),
		Entry("first after one failure", func() *talk { return settled().hear(down) }, rankAwaited),
		Entry("first to explain an answer to HEAD", func() *talk {
			t := settled()
			t.take(t.due, http.MethodHead, upstreamAnswer{outcome: strange}, t.plan)
			return t
		}, rankAwaited),
		Entry("last once failures are a verdict", func() *talk { return newTalk(true).hear(down, down, down) }, rankRoutine),
		Entry("last once refusals are a verdict", func() *talk { return newTalk(true).hear(rejected, rejected, rejected) }, rankRoutine),
		Entry("last once answers are about another configuration in a row", func() *talk {
			t := newTalk(true).hear(down)
			for range inARow {
				t.take(t.now, http.MethodGet, upstreamAnswer{stale: true}, t.plan)
			}
			return t
		}, rankRoutine),
	)

	Context("without verification of the key", func() {
		It("is asked for an answer alone", func() {
			t := newTalk(false).hear(served, served)
			Expect(t.asked).To(Equal([]string{"HEAD 0s", "HEAD 20s"}))
			Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, pending}))
			Expect(t.good(false)).To(BeTrue())
		})
		It("takes a rejection for an answer", func() {
			t := newTalk(false).hear(rejected)
			Expect(t.verdicts()).To(Equal([]conditions.UpstreamOutcome{served, pending}))
		})
		It("still fails when TARS is down", func() {
			Expect(newTalk(false).hear(down, down, down).reach.Outcome).To(Equal(down))
		})
	})
})
