// SPDX-License-Identifier: Apache-2.0

// Command demo shows the operator's main job from nothing: a local
// Kubernetes, Envoy Gateway, the chart, a TarsBackend, and answers through it.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/tars-operator/tars-operator/test/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	d, err := newDemo(os.Getenv)
	if err != nil {
		return err
	}
	switch {
	case len(args) == 0:
		return d.up(ctx)
	case len(args) == 1 && args[0] == "down":
		return d.lab.Down(ctx)
	default:
		return errors.New("usage: hack/demo.sh [down]")
	}
}

// newDemo reads what a user may set:
//
//   - DEMO_PROMPT, DEMO_MODEL: what is asked for, and of which model;
//   - TARS_API_KEY: the real service is used with this key, not a stand-in;
//     DEMO_VIA (HOST:PORT) is dialled in its place, and DEMO_TRUST_CA is a file
//     of authorities that Envoy trusts besides the usual ones;
//   - DEMO_CONTEXT: that cluster of kubectl's is used, not a local one;
//     DEMO_IMAGE and DEMO_STAND_IN_IMAGE are images that it can pull;
//     DEMO_YES=1 answers every question with yes.
func newDemo(env func(string) string) (*demo, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	d := &demo{
		lab:       &lab.Lab{Name: "demo", Root: root, Progress: os.Stderr, Context: env("DEMO_CONTEXT")},
		key:       env("TARS_API_KEY"),
		model:     env("DEMO_MODEL"),
		prompt:    env("DEMO_PROMPT"),
		begin:     time.Now(),
		namespace: "default",
	}
	d.lab.Images = lab.Images{Operator: env("DEMO_IMAGE"), StandIn: env("DEMO_STAND_IN_IMAGE")}
	d.lab.Confirm = confirm(env("DEMO_YES") == "1")
	if d.lab.Context != "" {
		d.namespace = lab.DemoNamespace
	}
	if d.key != "" {
		d.lab.Outside = &lab.Outside{Via: env("DEMO_VIA"), TrustCA: env("DEMO_TRUST_CA")}
	}
	if d.model == "" {
		d.model = "gpt-4o-mini"
	}
	if d.prompt == "" {
		d.prompt = "Say hello in one sentence."
	}
	return d, nil
}

// confirm asks at the terminal.
func confirm(yes bool) func(string) error {
	return func(question string) error {
		fmt.Fprintf(os.Stderr, "%s [y/N] ", question)
		if yes {
			fmt.Fprintln(os.Stderr, "y (DEMO_YES)")
			return nil
		}
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if answer := strings.ToLower(strings.TrimSpace(line)); answer == "y" || answer == "yes" {
			return nil
		}
		if err != nil {
			fmt.Fprintln(os.Stderr)
		}
		return errors.New("nothing was changed, because nobody said yes (DEMO_YES=1 does)")
	}
}
