// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

// brief is how long loads of tests last.
const brief = 500 * time.Millisecond

var _ = Describe("The load", func() {
	generate := func(address string, s scenario) (load, error) {
		GinkgoHelper()
		g, err := newGenerator(address, s, ours)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(g.Close)
		return g.run(context.Background(), brief)
	}
	standIn := func() *server.Server {
		GinkgoHelper()
		s, err := server.Start(server.Options{Lean: true})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(s.Close)
		return s
	}

	It("counts each answer once, in a closed loop and at a rate", func() {
		for _, rate := range []int{0, 100} {
			s := standIn()
			l, err := generate(s.URL()[len("http://"):], scenario{Body: 100, Clients: 4, Rate: rate})
			Expect(err).NotTo(HaveOccurred())
			Expect(l.timings).NotTo(BeEmpty())
			Expect(s.Ledger.Summary().Requests).To(BeEquivalentTo(len(l.timings)))
			if rate > 0 {
				due := rate * int(brief) / int(time.Second)
				Expect(len(l.timings)).To(And(BeNumerically("<=", due+1), BeNumerically(">", due/2)))
				Expect(l.elapsed).To(Equal(brief))
			}
			for _, t := range l.timings {
				Expect(t.firstByte).To(BeNumerically(">", 0))
				Expect(t.total).To(BeNumerically(">=", t.firstByte))
			}
		}
	})

	// slow answers one request after the other.
	slow := func(each time.Duration) string {
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(each):
			case <-r.Context().Done():
			}
		}))
		DeferCleanup(s.Close)
		return s.Listener.Addr().String()
	}

	It("counts from when a request was due, and is void where they pile up", func() {
		l, err := generate(slow(brief/10), scenario{Body: 100, Clients: 1, Rate: 100})
		Expect(err).To(MatchError(ContainSubstring("50 requests were due")))
		Expect(len(l.timings)).To(BeNumerically("<=", 11))
		last := l.timings[len(l.timings)-1]
		Expect(last.total).To(BeNumerically(">", brief/2), "the one before the last waited long")
	})

	It("tells of an answer that is no 200 although nothing begins any more", func() {
		began := time.Now()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(time.Until(began.Add(brief + brief/5))):
				http.Error(w, "late", http.StatusServiceUnavailable)
			case <-r.Context().Done():
			}
		}))
		DeferCleanup(s.Close)
		_, err := generate(s.Listener.Addr().String(), scenario{Body: 100, Clients: 2})
		Expect(err).To(MatchError(And(ContainSubstring("503"), ContainSubstring("late"))))
	})

	DescribeTable("is void where an answer is not whole",
		func(v variant, sc scenario, a timing, whole bool) {
			of := timing{bytes: 1000, lines: 20}
			want := Not(BeEmpty())
			if whole {
				want = BeEmpty()
			}
			Expect(of.seen(sc, v).differs(sc, []timing{{bytes: 1000, lines: of.seen(sc, v).lines}, a})).To(want)
		},
		Entry("some bytes of ids", floor, scenario{}, timing{bytes: 1003, lines: 20}, true),
		Entry("shorter", floor, scenario{}, timing{bytes: 980, lines: 20}, false),
		Entry("longer", floor, scenario{}, timing{bytes: 1020, lines: 20}, false),
		Entry("fewer lines", noops, scenario{}, timing{bytes: 1000, lines: 19}, false),
		Entry("chunks of other padding", noops, scenario{Chunks: 8}, timing{bytes: 500, lines: 20}, true),
		Entry("a chunk less", noops, scenario{Chunks: 8}, timing{bytes: 1000, lines: 18}, false),
		Entry("the usage chunk taken out", ours, scenario{Chunks: 8}, timing{bytes: 1000, lines: 18}, true),
		Entry("not taken out", ours, scenario{Chunks: 8}, timing{bytes: 1000, lines: 20}, false),
	)

	It("tells the gaps of a paced stream", func() {
		const gap = 5 * time.Millisecond
		l, err := generate(standIn().URL()[len("http://"):], scenario{Body: 100, Clients: 1, Chunks: 10, Gap: gap})
		Expect(err).NotTo(HaveOccurred())
		var gaps []time.Duration
		for _, t := range l.timings {
			gaps = append(gaps, t.gaps...)
		}
		// A machine that is busy elsewhere may let some arrive together.
		Expect(gaps).NotTo(BeEmpty())
		Expect(l.timings[0].total).To(BeNumerically(">=", 9*gap))
	})

	It("ends with the first answer that is no 200", func() {
		var asked atomic.Int64
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) > 3 {
				http.Error(w, "too much", http.StatusServiceUnavailable)
			}
		}))
		DeferCleanup(s.Close)
		_, err := generate(s.Listener.Addr().String(), scenario{Body: 100, Clients: 1})
		Expect(err).To(MatchError(And(ContainSubstring("503"), ContainSubstring("too much"))))
		Expect(asked.Load()).To(BeEquivalentTo(4))
	})

	It("has bodies of the lengths that its names tell, with the model at the end", func() {
		for _, s := range scenarios() {
			Expect(s.body()).To(HaveLen(s.Body), s.Name)
		}
		Expect(scenario{Body: 1000}.body()).To(HaveSuffix(`"model":"gpt-4o-mini"}`))
	})
})

var _ = Describe("/proc", func() {
	It("tells CPU time and memory of a process", func() {
		used := func() time.Duration {
			var u syscall.Rusage
			Expect(syscall.Getrusage(syscall.RUSAGE_SELF, &u)).To(Succeed())
			return time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
		before, err := cpuTime(os.Getpid())
		Expect(err).NotTo(HaveOccurred())
		begin := used()
		for used() < begin+brief {
		}
		after, err := cpuTime(os.Getpid())
		Expect(err).NotTo(HaveOccurred())
		Expect(after - before).To(BeNumerically("~", used()-begin, brief/5))
		large := bytes.Repeat([]byte{1}, 64<<20)
		now, err := resident(os.Getpid(), residentPeak)
		Expect(err).NotTo(HaveOccurred())
		Expect(now).To(BeNumerically(">", 64))
		runtime.KeepAlive(large)
		debug.FreeOSMemory()
		Expect(forgetPeak(os.Getpid())).To(Succeed())
		peak, err := resident(os.Getpid(), residentPeak)
		Expect(err).NotTo(HaveOccurred())
		Expect(peak).To(And(BeNumerically(">", 1), BeNumerically("<", now-32)))
	})

	It("has nothing of a process that is none", func() {
		_, err := cpuTime(1 << 30)
		Expect(err).To(HaveOccurred())
	})
})
