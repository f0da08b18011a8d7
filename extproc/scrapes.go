// SPDX-License-Identifier: Apache-2.0

package extproc

import (
	"net/http"
	"sync"
	"time"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// scrapes watches who reads the metrics. What the last requests of a pod came to
// would be in no one's sum if it ended right after them.
type scrapes struct {
	// settled is how many requests have been counted so far.
	settled func() uint64

	mu sync.Mutex
	// last is when the last reading began, apart how long after the one before it.
	last  time.Time
	apart time.Duration
	// seen is how many requests were counted when it began.
	seen uint64
	// read is closed when another reading is done.
	read chan struct{}
}

func newScrapes(settled func() uint64) *scrapes {
	return &scrapes{settled: settled, read: make(chan struct{})}
}

// watch is a handler that takes note of its readers.
func (s *scrapes) watch(metrics http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, seen := time.Now(), s.settled()
		metrics.ServeHTTP(w, r)
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.last.IsZero() {
			s.apart = began.Sub(s.last)
		}
		s.last, s.seen = began, max(s.seen, seen)
		close(s.read)
		s.read = make(chan struct{})
	})
}

// awaitLast waits until every request that was counted has been read, or nobody is
// likely to come. No more requests may come meanwhile.
func (s *scrapes) awaitLast(waiting func(atMost time.Duration)) {
	end := time.Now().Add(config.LastScrapeSeconds * time.Second)
	for {
		s.mu.Lock()
		unread, due, read := s.settled() != s.seen, nextScrape(s.last, s.apart), s.read
		s.mu.Unlock()
		if due.After(end) {
			due = end
		}
		wait := time.Until(due)
		if !unread || wait <= 0 {
			return
		}
		waiting(wait)
		select {
		case <-read:
		case <-time.After(wait):
			return
		}
	}
}

// nextScrape is until when a reader may be expected who came last at one time, and that
// long after the time before; the zero time where nobody ever came.
func nextScrape(last time.Time, apart time.Duration) time.Time {
	switch {
	case last.IsZero():
		return last
	case apart == 0:
		return last.Add(config.LastScrapeSeconds * time.Second)
	default:
		return last.Add(apart + apart/2)
	}
}
