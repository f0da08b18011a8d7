// SPDX-License-Identifier: Apache-2.0

package extproc

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
)

// scrape has somebody read the metrics.
func scrape(s *scrapes, method, who string) {
	r := httptest.NewRequest(method, "/metrics", http.NoBody)
	r.RemoteAddr = who + ":1234"
	s.watch(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(httptest.NewRecorder(), r)
}

// TestAwaitLast runs in bubbles with clocks of their own.
func TestAwaitLast(t *testing.T) {
	type reading struct {
		at  time.Duration
		who string
	}
	every := func(interval, offset time.Duration, who string, until time.Duration) (all []reading) {
		for at := offset; at <= until; at += interval {
			all = append(all, reading{at, who})
		}
		return all
	}
	const s = time.Second
	for name, play := range map[string]struct {
		readings     []reading
		settled, end time.Duration // when the last request is counted, and the drain ends
		waits        time.Duration
	}{
		"nobody ever came":                    {nil, 40 * s, 40 * s, 0},
		"everything was read":                 {every(30*s, 0, "a", 300*s), 29 * s, 31 * s, 0},
		"until the next reading":              {every(30*s, 0, "a", 300*s), 40 * s, 40 * s, 20 * s},
		"until both of a pair have read":      {append(every(30*s, 0, "a", 300*s), every(30*s, s, "b", 300*s)...), 40 * s, 40 * s, 21 * s},
		"both of a pair behind one address":   {append(every(30*s, 0, "a", 300*s), every(30*s, s, "a", 300*s)...), 40 * s, 40 * s, 20 * s},
		"a look beside the readings":          {append(every(30*s, 0, "a", 300*s), reading{33 * s, "kubectl"}, reading{34 * s, "kubectl"}), 40 * s, 40 * s, 20 * s},
		"who came once is waited for":         {[]reading{{10 * s, "a"}}, 40 * s, 40 * s, 30 * s},
		"who does not come any more is not":   {every(30*s, 0, "a", 60*s), 70 * s, 110 * s, 0},
		"nor for longer than half as much":    {every(30*s, 0, "a", 60*s), 70 * s, 70 * s, 35 * s},
		"a minute at most":                    {every(300*s, 0, "a", 300*s), 310 * s, 310 * s, 60 * s},
		"while one reads and another is late": {append(every(30*s, 0, "a", 300*s), every(30*s, s, "b", 31*s)...), 40 * s, 40 * s, 36 * s},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				RegisterTestingT(t)
				var count uint64
				began := time.Now()
				watched := newScrapes(func() uint64 {
					if time.Since(began) >= play.settled {
						return count + 1
					}
					return count
				})
				for _, r := range play.readings {
					go func() {
						<-time.After(r.at)
						scrape(watched, http.MethodGet, r.who)
					}()
				}
				<-time.After(play.end)
				synctest.Wait()
				watched.awaitLast(func(time.Duration) {})
				waited := time.Since(began) - play.end
				<-time.After(time.Hour) // for the readings that are left
				Expect(waited).To(Equal(play.waits))
			})
		})
	}
}

func TestReaders(t *testing.T) {
	RegisterTestingT(t)
	s := newScrapes(func() uint64 { return 1 })
	scrape(s, http.MethodHead, "a")
	Expect(s.readers).To(BeEmpty(), "a HEAD reads nothing")
	for n := range 3 * maxReaders {
		scrape(s, http.MethodGet, fmt.Sprint(n))
	}
	Expect(s.readers).To(HaveLen(maxReaders))
	Expect(s.readers).To(HaveKey(fmt.Sprint(3*maxReaders-1, " ")))
	before := s.readers[fmt.Sprint(3*maxReaders-1, " ")]
	s.took(fmt.Sprint(3*maxReaders-1, " "), before.last.Add(-time.Second), 7)
	Expect(s.readers[fmt.Sprint(3*maxReaders-1, " ")]).To(Equal(before), "one that began earlier and took longer")
}
