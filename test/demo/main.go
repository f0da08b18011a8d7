// SPDX-License-Identifier: Apache-2.0

// Command demo shows the operator's main job from nothing: a local
// Kubernetes, Envoy Gateway, the chart, a TarsBackend, and answers through it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
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
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	d := &demo{
		lab:    &lab.Lab{Name: "demo", Root: root, Progress: os.Stderr},
		prompt: os.Getenv("DEMO_PROMPT"),
		begin:  time.Now(),
	}
	if d.prompt == "" {
		d.prompt = "Say hello in one sentence."
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
