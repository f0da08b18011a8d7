// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"sync"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

func TestLedger(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/tarsfake/ledger")
}

// ids are those of the entries that are kept.
func ids(l *ledger.Ledger) []int64 {
	found := []int64{}
	for _, e := range l.List(ledger.Filter{}).Entries {
		found = append(found, e.ID)
	}
	return found
}

var _ = Describe("The ledger", func() {
	It("keeps the newest, and what is open as long as it can", func() {
		l := ledger.New(3)
		open := l.Begin(ledger.Entry{})
		for range 3 {
			l.Begin(ledger.Entry{}).End(ledger.Complete)
		}
		Expect(ids(l)).To(Equal([]int64{1, 3, 4}))
		open.End(ledger.Cut)
		Expect(l.List(ledger.Filter{Outcome: ledger.Cut}).Entries).To(HaveLen(1))
		l.Begin(ledger.Entry{})
		l.Begin(ledger.Entry{})
		l.Begin(ledger.Entry{})
		l.Begin(ledger.Entry{})
		Expect(ids(l)).To(Equal([]int64{6, 7, 8}), "the oldest goes when all are open")
		Expect(l.Summary().Requests).To(BeNumerically("==", 8))
		Expect(l.List(ledger.Filter{}).Dropped).To(BeNumerically("==", 5))
	})

	It("has a size of its own", func() {
		l := ledger.New(0)
		for range ledger.DefaultSize + 1 {
			l.Begin(ledger.Entry{}).End(ledger.Complete)
		}
		Expect(ids(l)).To(HaveLen(ledger.DefaultSize))
	})

	It("shows an entry as it was when it was asked for", func() {
		l := ledger.New(0)
		usage := &tokens.Usage{Input: 1}
		record := l.Begin(ledger.Entry{Usage: usage, Behaviour: map[string]string{"a": "1"}})
		seen := record.Entry()
		record.Update(func(e *ledger.Entry) {
			e.Usage.Input, e.Behaviour["a"], e.Status = 2, "2", 200
		})
		usage.Input = 3
		Expect(seen.Usage.Input).To(BeNumerically("==", 1))
		Expect(seen.Behaviour).To(HaveKeyWithValue("a", "1"))
		Expect(seen.Outcome).To(Equal(ledger.Open))
		Expect(record.Entry().Usage.Input).To(BeNumerically("==", 2))
		Expect(record.Entry().Status).To(Equal(200))
	})

	It("sums by outcome, status, path, model and key", func() {
		l := ledger.New(2) // some of it dropped
		for i := range 6 {
			record := l.Begin(ledger.Entry{Path: "/p", Key: fmt.Sprint("k", i%2), BodyBytes: 10})
			if i == 5 {
				continue
			}
			record.Update(func(e *ledger.Entry) {
				e.Status, e.ModelAnswered = 200, "m"
				e.Usage = &tokens.Usage{Input: 100, Output: 1}
				e.UsageSent = i > 2
			})
			record.End(ledger.Complete)
		}
		sum := func(requests, answered, sent int64) ledger.Sum {
			return ledger.Sum{
				Requests: requests,
				Answered: tokens.Usage{Input: 100 * answered, Output: answered}, Sent: tokens.Usage{Input: 100 * sent, Output: sent},
			}
		}
		Expect(l.Summary()).To(Equal(ledger.Summary{
			Sum: sum(6, 5, 2), BodyBytes: 60,
			Outcomes: map[string]int64{"complete": 5, "open": 1},
			Statuses: map[string]int64{"200": 5, "0": 1},
			Paths:    map[string]ledger.Sum{"/p": sum(6, 5, 2)},
			Models:   map[string]ledger.Sum{"m": sum(5, 5, 2)},
			Keys:     map[string]ledger.Sum{"k0": sum(3, 3, 1), "k1": sum(3, 2, 1)},
		}))
	})

	It("sums few names apart", func() {
		l := ledger.New(1)
		for i := range 1500 {
			l.Begin(ledger.Entry{Path: fmt.Sprint(i)}).End(ledger.Complete)
		}
		paths := l.Summary().Paths
		Expect(len(paths)).To(BeNumerically("<=", 1001))
		Expect(paths["_other"].Requests).To(BeNumerically("==", 500))
		Expect(l.Summary().Requests).To(BeNumerically("==", 1500))
	})

	It("forgets, and lets open requests end in peace", func() {
		l := ledger.New(0)
		record := l.Begin(ledger.Entry{})
		l.Clear()
		record.End(ledger.Complete)
		Expect(ids(l)).To(BeEmpty())
		Expect(l.Summary().Requests).To(BeZero())
		Expect(l.Summary().Outcomes).NotTo(BeNil())
	})

	It("is used by many at once", func() {
		l := ledger.New(10)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for range 50 {
					record := l.Begin(ledger.Entry{Path: "/p"})
					record.Update(func(e *ledger.Entry) { e.Usage = &tokens.Usage{Input: 1} })
					record.End(ledger.Complete)
					l.List(ledger.Filter{Last: 1})
					l.Summary()
				}
			})
		}
		all.Wait()
		Expect(l.Summary().Requests).To(BeNumerically("==", 1000))
		Expect(ids(l)).To(HaveLen(10))
	})
})
