// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/tars-operator/tars-operator/test/cluster/internal/packages"
	"github.com/tars-operator/tars-operator/test/cluster/internal/preflight"
)

// preflightCommand says everything that this machine lacks, at once.
func preflightCommand(ctx context.Context, e env, args []string) error {
	var install bool
	var outside string
	rest, err := parse("preflight", args, func(set *flag.FlagSet) {
		set.BoolVar(&install, "install", false, "")
		set.StringVar(&outside, "egress", "", "")
	})
	if err := none("preflight", rest, err); err != nil {
		return err
	}
	begin := time.Now()
	err = e.check(ctx, install)
	if outside != "" {
		err = errors.Join(err, tryWayOut(ctx, outside))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "this machine can run a local cluster (looked at in %.1f s)\n", time.Since(begin).Seconds())
	return err
}

// check fails when something is missing, after installing what can be.
func (e env) check(ctx context.Context, install bool) error {
	findings := e.findings(ctx)
	if missing := preflight.Packages(findings); install && len(missing) > 0 {
		if err := e.install(ctx, missing); err != nil {
			return err
		}
		findings = e.findings(ctx)
	}
	if len(findings) == 0 {
		return nil
	}
	return fmt.Errorf("this machine can't run a local cluster:\n%s", preflight.Explain(findings))
}

func (e env) findings(ctx context.Context) []preflight.Finding {
	return preflight.Judge(preflight.Observe(ctx, preflight.Where{
		Cache: e.builder.Cache, Warm: e.builder.Warm(), Probe: []string{selfFile, "internal-probe"},
	}))
}

// runProbe tries what the kernel can do; it was started in namespaces of its
// own.
func runProbe(ctx context.Context, e env, _ []string) error {
	for _, feature := range preflight.TryKernel(ctx) {
		if _, err := fmt.Fprintln(e.out, feature); err != nil {
			return err
		}
	}
	return nil
}

func (e env) install(ctx context.Context, names []string) error {
	if os.Geteuid() != 0 {
		return errors.New("--install needs root")
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("there is no apt-get to install packages with: without --install, this says what is missing")
	}
	e.say("installing packages: %v", names)
	return packages.New().Install(ctx, names)
}
