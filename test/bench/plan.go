// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tars-operator/tars-operator/test/dataplane/harness"
)

// tries is how often a measurement is made before a void one ends the run.
const tries = 3

// plan is what is to be measured, and what has been.
type plan struct {
	root      string
	profile   string
	state     *state
	rounds    int
	window    window
	variants  []variant
	scenarios []scenario
	binaries  map[variant]string
	measure   func(*stage, context.Context, scenario, window) (figures, string, error)
}

func newPlan(o options) (*plan, error) {
	p := &plan{
		rounds: cmp.Or(o.rounds, 5), variants: []variant{floor, noops, ours}, profile: o.profile,
		window:   window{warm: 400 * time.Millisecond, measure: 2200 * time.Millisecond},
		binaries: map[variant]string{before: o.before},
		measure:  (*stage).measure,
	}
	if o.short {
		p.rounds = cmp.Or(o.rounds, 3)
		p.window = window{warm: 200 * time.Millisecond, measure: 1000 * time.Millisecond}
	}
	if o.before != "" {
		p.variants = append(p.variants, before)
	}
	if o.variants != "" {
		p.variants = nil
		for name := range strings.SplitSeq(o.variants, ",") {
			p.variants = append(p.variants, variant(name))
		}
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	for _, s := range scenarios() {
		if only.MatchString(s.Name) && (s.Short || !o.short) {
			p.scenarios = append(p.scenarios, s)
		}
	}
	if len(p.scenarios) == 0 {
		return nil, fmt.Errorf("-only: no scenario's name matches %q", o.only)
	}
	if p.root, err = filepath.Abs(o.root); err != nil {
		return nil, fmt.Errorf("-root: %w", err)
	}
	p.state, err = openState(o.state)
	return p, err
}

// run measures what is missing, round by round.
func (p *plan) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "bench-bin-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder of our own in the temporary one
	if p.profile != "" {
		return p.runProfile(ctx)
	}
	if p.binaries[ours], err = harness.Build(ctx, harness.Options{Root: p.root, Dir: dir, Log: io.Discard}); err != nil {
		return err
	}
	platform, err := thisPlatform(ctx, p)
	if err != nil {
		return err
	}
	if err := p.state.begin(platform); err != nil {
		return err
	}
	began := time.Now()
	for round := 1; round <= p.rounds; round++ {
		if err := p.round(ctx, round); err != nil {
			return fmt.Errorf("round %d: %w; the same command goes on where this one ended", round, err)
		}
		fmt.Printf("round %d of %d done after %s\n", round, p.rounds, time.Since(began).Round(time.Second))
	}
	fmt.Print(table(p.state.results))
	return nil
}

// round measures what the round lacks. Everything is started anew.
func (p *plan) round(ctx context.Context, round int) (err error) {
	if p.missing(round) == 0 {
		return nil
	}
	w, err := newWorld(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	for i, sc := range p.scenarios {
		if p.state.has(round, sc.Name, p.variants) {
			continue
		}
		if err := p.scenario(ctx, round, sc, turned(w.stages, round+i)); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) missing(round int) int {
	n := 0
	for _, sc := range p.scenarios {
		if !p.state.has(round, sc.Name, p.variants) {
			n++
		}
	}
	return n
}

// turned begins with another variant each time, so that none is always the first.
func turned(stages []*stage, by int) []*stage {
	by %= len(stages)
	return slices.Concat(stages[by:], stages[:by])
}

// scenario measures every variant; when one is void, all are measured again,
// because only neighbours in time are compared.
func (p *plan) scenario(ctx context.Context, round int, sc scenario, stages []*stage) error {
	var void string
	for range tries {
		var cells []cell
		void = ""
		for _, s := range stages {
			f, why, err := p.measure(s, ctx, sc, p.window)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", sc.Name, s.variant, err)
			}
			if why != "" {
				void = fmt.Sprintf("%s, %s: %s", sc.Name, s.variant, why)
				if err := p.state.void(voided{round, sc.Name, s.variant, why}); err != nil {
					return err
				}
				break
			}
			cells = append(cells, cell{round, sc.Name, s.variant, f})
		}
		if void == "" {
			return p.state.add(cells)
		}
		fmt.Println("void:", void)
	}
	return fmt.Errorf("void %d times: %s", tries, void)
}

// runProfile profiles ours under each scenario of the plan.
func (p *plan) runProfile(ctx context.Context) (err error) {
	p.variants = []variant{ours}
	if p.binaries[ours], err = os.Executable(); err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	w, err := newWorld(ctx, p)
	if err != nil {
		return err
	}
	for _, sc := range p.scenarios {
		f, void, err := p.measure(w.stages[0], ctx, sc, p.window)
		if err != nil {
			return errors.Join(err, w.Close())
		}
		fmt.Printf("%s: %d requests, ext_proc %.0f us each %s\n", sc.Name, f.Requests, f.ProcMicros, void)
	}
	return w.Close()
}
