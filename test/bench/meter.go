// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/tars-operator/tars-operator/test/dataplane/harness"
)

// window is the time of a measurement: what comes before warms connections, pools
// and heaps.
type window struct{ warm, measure time.Duration }

// measure is one scenario on one stage; void says why it does not count, if so.
func (s *stage) measure(ctx context.Context, sc scenario, w window) (f figures, void string, err error) {
	g, err := newGenerator(s.envoy.Address, sc, s.variant)
	if err != nil {
		return f, "", err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	if s.processor.pid != 0 {
		if f.ProcRest, err = resident(s.processor.pid, residentNow); err != nil {
			return f, "", err
		}
	}
	whole, err := reference(s.standIn.HTTP, sc)
	if err != nil {
		return f, "", err
	}
	books, err := beginAudit(ctx, s)
	if err != nil {
		return f, "", err
	}
	warm, err := g.run(ctx, w.warm)
	if err != nil {
		return f, "while warming up: " + err.Error(), ctx.Err()
	}
	begin, err := s.usage(true)
	if err != nil {
		return f, "", err
	}
	l, loadErr := g.run(ctx, w.measure)
	end, err := s.usage(false)
	if err != nil {
		return f, "", err
	}
	if loadErr != nil {
		return f, loadErr.Error(), ctx.Err()
	}
	f.latencies(l)
	f.usage(begin, end)
	if void = whole.seen(sc, s.variant).differs(sc, slices.Concat(warm.timings, l.timings)); void == "" {
		void, err = books.end(ctx, len(warm.timings)+len(l.timings))
	}
	return f, void, err
}

// reference is an answer of the stand-in itself.
func reference(address string, sc scenario) (t timing, err error) {
	c, err := dial(address, false)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	sc.Gap = 0
	return c.do(bytes.Replace(sc.request(ours), []byte("Bearer of-the-client"), []byte("Bearer "+standInKey), 1), time.Now())
}

// seen is how an answer of the stand-in reaches the client: ours takes the usage chunk out,
// which the client did not ask for.
func (t timing) seen(sc scenario, v variant) timing {
	if sc.Chunks > 0 && (v == ours || v == before) {
		t.lines -= 2
	}
	return t
}

// differs says in what an answer differs from the one of the stand-in itself, "" for in
// nothing. The chunks of streams are padded to other lengths each time, so that their lines
// are counted; other answers have ids and times, whose lengths differ by some bytes.
func (t timing) differs(sc scenario, answers []timing) string {
	for _, a := range answers {
		if longer := a.bytes - t.bytes; a.lines != t.lines || (sc.Chunks == 0 && max(longer, -longer) > 10) {
			return fmt.Sprintf("an answer has %d bytes in %d lines, that of the stand-in %d in %d", a.bytes, a.lines, t.bytes, t.lines)
		}
	}
	return ""
}

// usage is what the processes have used.
type usage struct {
	envoy, processor, standIn, client time.Duration
	envoyPeak, processorPeak          float64
}

// usage reads it. anew begins a peak of memory.
func (s *stage) usage(anew bool) (u usage, err error) {
	for _, p := range []struct {
		pid  int
		cpu  *time.Duration
		peak *float64
	}{
		{s.envoy.PID(), &u.envoy, &u.envoyPeak},
		{s.processor.pid, &u.processor, &u.processorPeak},
		{s.standIn.cmd.Process.Pid, &u.standIn, nil},
		{os.Getpid(), &u.client, nil},
	} {
		if p.pid == 0 {
			continue
		}
		if *p.cpu, err = cpuTime(p.pid); err != nil {
			return u, err
		}
		if p.peak == nil {
			continue
		}
		if anew {
			if err := forgetPeak(p.pid); err != nil {
				return u, err
			}
		}
		if *p.peak, err = resident(p.pid, residentPeak); err != nil {
			return u, err
		}
	}
	return u, nil
}

func (f *figures) usage(begin, end usage) {
	each := func(begin, end time.Duration) float64 {
		return float64(end-begin) / float64(time.Microsecond) / float64(max(1, f.Requests))
	}
	f.EnvoyMicros = each(begin.envoy, end.envoy)
	f.ProcMicros = each(begin.processor, end.processor)
	f.StandInMicros = each(begin.standIn, end.standIn)
	f.ClientMicros = each(begin.client, end.client)
	f.EnvoyPeak, f.ProcPeak = end.envoyPeak, end.processorPeak
}

// stop ends a process in order, so that a profile is written.
func stop(p *harness.Process) error {
	if p.Ended() {
		return nil
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Done():
		return nil
	case <-time.After(harness.EndTimeout):
		return p.Kill()
	}
}
