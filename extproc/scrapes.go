// SPDX-License-Identifier: Apache-2.0

package extproc

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// maxReaders bounds how many are remembered.
const maxReaders = 16

// scrapes watches who reads the metrics. What the last requests of a pod came to
// would be in no one's sum if it ended right after them.
type scrapes struct {
	// settled is how many requests have been counted so far.
	settled func() uint64

	mu      sync.Mutex
	readers map[string]reader
	// read is closed when another reading is done.
	read chan struct{}
}

// reader is one who reads the metrics: two of a pair of Prometheus are not the same.
type reader struct {
	// last is when the latest reading began.
	last time.Time
	// apart are the two latest times between readings: the longer one counts, as who is
	// one by the address may be two.
	apart [2]time.Duration
	// seen is how many requests were counted when the latest reading began.
	seen uint64
}

// due is until when another reading may be expected.
func (r reader) due() time.Time {
	apart := max(r.apart[0], r.apart[1])
	if apart == 0 { // it came once
		return r.last.Add(config.LastScrapeSeconds * time.Second)
	}
	return r.last.Add(apart + apart/2)
}

func newScrapes(settled func() uint64) *scrapes {
	return &scrapes{settled: settled, readers: map[string]reader{}, read: make(chan struct{})}
}

// watch is a handler that takes note of its readers.
func (s *scrapes) watch(metrics http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, seen := time.Now(), s.settled()
		metrics.ServeHTTP(w, r)
		if r.Method == http.MethodGet && r.Context().Err() == nil {
			s.took(whoReads(r), began, seen)
		}
	})
}

func whoReads(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return host + " " + r.UserAgent()
}

// took takes note of a reading.
func (s *scrapes) took(who string, began time.Time, seen uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.readers[who]
	if known && !began.After(before.last) {
		return
	}
	if !known && len(s.readers) >= maxReaders {
		s.forgetOldest()
	}
	now := reader{last: began, seen: seen}
	if known {
		now.apart = [2]time.Duration{began.Sub(before.last), before.apart[0]}
	}
	s.readers[who] = now
	close(s.read)
	s.read = make(chan struct{})
}

func (s *scrapes) forgetOldest() {
	oldest := ""
	for who, r := range s.readers {
		if oldest == "" || r.last.Before(s.readers[oldest].last) {
			oldest = who
		}
	}
	delete(s.readers, oldest)
}

// awaitLast waits until every request that was counted has been read by all who are likely
// to come again. No more requests may come meanwhile.
func (s *scrapes) awaitLast(waiting func(atMost time.Duration)) {
	end := time.Now().Add(config.LastScrapeSeconds * time.Second)
	for {
		due, read := s.expected()
		if due.After(end) {
			due = end
		}
		wait := time.Until(due)
		if wait <= 0 {
			return
		}
		waiting(wait)
		select {
		case <-read:
		case <-time.After(wait):
		}
	}
}

// expected is when the last one is due who has not read everything, the zero time for none,
// and what is closed when somebody has read.
func (s *scrapes) expected() (due time.Time, read <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.readers {
		if r.seen != s.settled() && r.due().After(due) {
			due = r.due()
		}
	}
	return due, s.read
}
