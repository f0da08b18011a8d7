// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// run is the program; the first three are the parts of it that are processes of
// their own.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "noop":
			return serveNoop(ctx)
		case "standin":
			return serveStandIn(ctx)
		case "extproc":
			return profiledExtproc(ctx, args[1:])
		case "report":
			return report(args[1:])
		}
	}
	return measure(ctx, args)
}

// options are the command line of a measurement.
type options struct {
	root     string
	state    string
	before   string
	only     string
	variants string
	rounds   int
	short    bool
	profile  string
}

func measure(ctx context.Context, args []string) error {
	var o options
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.StringVar(&o.root, "root", ".", "`folder` of the operator's module")
	set.StringVar(&o.state, "state", ".cache/bench/run.json", "`file` of raw figures; what it has is not measured again")
	set.StringVar(&o.before, "before", "", "`path` of another build of the operator, measured as the variant before")
	set.StringVar(&o.only, "only", "", "`pattern`: measure only scenarios whose name it matches")
	set.StringVar(&o.variants, "variants", "", "comma-separated `names`: measure only these")
	set.IntVar(&o.rounds, "rounds", 0, "`number` of rounds (default 5, short: 3)")
	set.BoolVar(&o.short, "short", false, "a few scenarios, within two minutes")
	set.StringVar(&o.profile, "profile", "", "`file` for a CPU profile of ours in one scenario (see -only); measures nothing else")
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() > 0 {
		return fmt.Errorf("it takes flags only, not %q", set.Arg(0))
	}
	plan, err := newPlan(o)
	if err != nil {
		return err
	}
	return plan.run(ctx)
}
