// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// load is what a generator saw.
type load struct {
	timings []timing
	elapsed time.Duration
}

// generator sends requests over connections that stay open.
type generator struct {
	clients []*client
	request []byte
	rate    int
}

func newGenerator(address string, s scenario, v variant) (*generator, error) {
	g := &generator{request: s.request(v), rate: s.Rate}
	for range s.Clients {
		c, err := dial(address, s.Gap > 0)
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
		g.clients = append(g.clients, c)
	}
	return g, nil
}

// Close closes the connections.
func (g *generator) Close() error {
	errs := make([]error, 0, len(g.clients))
	for _, c := range g.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// run begins requests for the given time and waits for their ends. The first
// error ends it: a figure with errors in it is of no use.
func (g *generator) run(ctx context.Context, during time.Duration) (load, error) {
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	due := g.schedule(ctx)
	timings := make([][]timing, len(g.clients))
	failures := make([]error, len(g.clients))
	begin := time.Now()
	var clients sync.WaitGroup
	for i, c := range g.clients {
		clients.Go(func() {
			for at := range due {
				t, err := c.do(g.request, at())
				if err != nil {
					failures[i] = err // also behind the end, where nothing begins any more
					cancel()
					return
				}
				timings[i] = append(timings[i], t)
			}
		})
	}
	clients.Wait()
	l := load{elapsed: time.Since(begin)}
	if g.rate > 0 {
		l.elapsed = during // what is still on its way then began in time
	}
	for _, t := range timings {
		l.timings = append(l.timings, t...)
	}
	err := errors.Join(failures...)
	// Some may come too late at the very end.
	if due := int(during.Seconds() * float64(g.rate)); err == nil && len(l.timings) < due-due/50-2 {
		err = fmt.Errorf("%d requests were due, and only %d could be sent: all clients waited", due, len(l.timings))
	}
	return l, err
}

// schedule tells when requests are due, until ctx ends: at a fixed rate or, in a
// closed loop, whenever a client is free. At a fixed rate the time is the one
// planned: a request that waits for a free client, or for this machine, has
// waited.
func (g *generator) schedule(ctx context.Context) <-chan func() time.Time {
	due := make(chan func() time.Time)
	go func() {
		defer close(due)
		begin := time.Now()
		for n := 0; ctx.Err() == nil; n++ {
			at := time.Now
			if g.rate > 0 {
				planned := begin.Add(time.Duration(n) * time.Second / time.Duration(g.rate))
				at = func() time.Time { return planned }
				select {
				case <-time.After(time.Until(planned)):
				case <-ctx.Done():
					return
				}
			}
			select {
			case due <- at:
			case <-ctx.Done():
				return
			}
		}
	}()
	return due
}
