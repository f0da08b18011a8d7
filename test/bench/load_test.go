// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
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
				Expect(len(l.timings)).To(BeNumerically("<=", rate*int(brief)/int(time.Second)+1))
			}
			for _, t := range l.timings {
				Expect(t.firstByte).To(BeNumerically(">", 0))
				Expect(t.total).To(BeNumerically(">=", t.firstByte))
			}
		}
	})

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
		before, err := cpuTime(os.Getpid())
		Expect(err).NotTo(HaveOccurred())
		for end := time.Now().Add(brief / 10); time.Now().Before(end); {
		}
		after, err := cpuTime(os.Getpid())
		Expect(err).NotTo(HaveOccurred())
		Expect(after).To(BeNumerically(">", before))
		Expect(forgetPeak(os.Getpid())).To(Succeed())
		peak, err := resident(os.Getpid(), residentPeak)
		Expect(err).NotTo(HaveOccurred())
		Expect(peak).To(BeNumerically(">", 1))
	})

	It("has nothing of a process that is none", func() {
		_, err := cpuTime(1 << 30)
		Expect(err).To(HaveOccurred())
	})
})
