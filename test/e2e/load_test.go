// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// load sends requests until it is stopped and remembers what went wrong.
type load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	requests int
	statuses map[string]int
	samples  []string
}

// loadPlan says what a load sends.
type loadPlan struct {
	// Clients send one after the other, each on connections of its own.
	Clients int
	// Pause between two requests of one client.
	Pause time.Duration
	// Request makes the n-th request of a client.
	Request func(ctx context.Context, n int) (*http.Request, error)
}

// startLoad begins to send. Stop it by its stop method.
func startLoad(plan loadPlan) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel, statuses: map[string]int{}}
	for range plan.Clients {
		l.done.Go(func() { l.client(ctx, plan) })
	}
	return l
}

func (l *load) client(ctx context.Context, plan loadPlan) {
	client := &http.Client{Transport: &http.Transport{Proxy: nil}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(max(plan.Pause, time.Millisecond))
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// A request in flight when the load is stopped is finished, not
		// cancelled: what it gets counts.
		req, err := plan.Request(context.WithoutCancel(ctx), n)
		if err != nil {
			l.record("request: "+err.Error(), "")
			return
		}
		l.send(client, req)
	}
}

func (l *load) send(client *http.Client, req *http.Request) {
	resp, err := client.Do(req)
	if err != nil {
		l.record("error", err.Error())
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		l.record("cut", err.Error())
		return
	}
	l.record(fmt.Sprint(resp.StatusCode), string(body[:min(len(body), 200)]))
}

func (l *load) record(status, sample string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	l.statuses[status]++
	if status != "200" && len(l.samples) < 5 {
		l.samples = append(l.samples, status+": "+sample)
	}
}

// sent is the number of requests that ended so far.
func (l *load) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

// stop waits for the requests in flight and returns the counts.
func (l *load) stop() loadResult {
	l.cancel()
	l.done.Wait()
	return loadResult{Requests: l.requests, Statuses: l.statuses, Samples: l.samples}
}

// loadResult is what a load saw.
type loadResult struct {
	Requests int
	Statuses map[string]int
	Samples  []string
}

// bad is the number of requests that were not answered 200.
func (r loadResult) bad() int { return r.Requests - r.Statuses["200"] }

func (r loadResult) String() string {
	parts := make([]string, 0, len(r.Statuses))
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		parts = append(parts, fmt.Sprintf("%s: %d", status, r.Statuses[status]))
	}
	return fmt.Sprintf("%d requests (%s) %s", r.Requests, strings.Join(parts, ", "), strings.Join(r.Samples, " | "))
}
