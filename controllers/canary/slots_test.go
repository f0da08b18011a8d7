// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

var _ = Describe("slots", func() {
	var clock *testclock.FakeClock
	var s *slots
	BeforeEach(func() {
		clock = testclock.NewFakeClock(time.Unix(0, 0))
		s = newSlots(1, clock.Now)
	})
	// free says whether there is a slot, and takes none.
	free := func(address string) bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer cancel()
		release := s.take(ctx, address)
		if release == nil {
			return false
		}
		release()
		return true
	}

	It("are as many as there are", func(ctx SpecContext) {
		release := s.take(ctx, "a")
		Expect(free("b")).To(BeFalse())
		release()
		Expect(free("b")).To(BeTrue())
	})
	It("of silent addresses are others, and bounded too", func(ctx SpecContext) {
		s.note("a", true)
		s.note("b", true)
		release := s.take(ctx, "a")
		defer release()
		Expect(free("b")).To(BeFalse())
		Expect(free("c")).To(BeTrue())
	})
	It("are everybody's again after an answer, and after a while", func(ctx SpecContext) {
		s.note("a", true)
		s.note("b", true)
		release := s.take(ctx, "a")
		defer release()
		s.note("b", false)
		Expect(free("b")).To(BeTrue())
		s.note("b", true)
		clock.Step(silenceMemory)
		Expect(free("b")).To(BeTrue())
		s.note("c", true)
		Expect(s.last).To(HaveLen(1), "what is over is forgotten")
	})
})

var _ = It("the prober asks the others while an Envoy is silent", func() {
	asked, release := make(chan struct{}, 1), make(chan struct{})
	hung := newEnvoy(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	})
	DeferCleanup(func() { close(release) })
	good := newEnvoy(right)
	r := newRig(Options{Concurrency: 1}).start()
	r.drain()
	r.slots.note(hung.address, true)
	r.Set(types.NamespacedName{Namespace: "team", Name: "other"}, testPlan(hung.target("eg/e1")))
	Eventually(asked, soon).Should(Receive())
	plan := testPlan(good.target("eg/e2"))
	r.Set(key, plan)
	Eventually(func() []conditions.ProbeOutcome { return r.outcomes(plan) }, soon).
		Should(Equal([]conditions.ProbeOutcome{conditions.ProbeVerified}))
})

var _ = It("the prober learns which Envoys are silent", func() {
	e := newEnvoy(hangUp)
	r := newRig(Options{}).start()
	r.drain()
	r.Set(key, testPlan(e.target("eg/e1")))
	r.waiting(1)
	Expect(r.slots.isSilent(e.address)).To(BeTrue())
	e.answers(answer(404, "", ""))
	r.clock.Step(fast)
	Eventually(func() bool { return r.slots.isSilent(e.address) }, soon).Should(BeFalse(), "a wrong answer is one too")
})

// hangUp gives no answer.
func hangUp(http.ResponseWriter, *http.Request) {
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to hang up
}
