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
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// options are what is measured, and the limits.
type options struct {
	backends, namespaces int
	operator, root, out  string
	limit, rest          time.Duration
	memory               int64
}

func main() {
	var o options
	flag.IntVar(&o.backends, "backends", 1000, "number of TarsBackends")
	flag.IntVar(&o.namespaces, "namespaces", 100, "number of namespaces that they are in")
	flag.StringVar(&o.operator, "operator", "", "the operator's binary")
	flag.StringVar(&o.root, "root", ".", "the project's folder")
	flag.StringVar(&o.out, "out", "", "file for the figures as JSON; empty: printed only")
	flag.DurationVar(&o.limit, "limit", 2*time.Minute, "by when all have to be Ready")
	flag.DurationVar(&o.rest, "rest", time.Minute, "how long nothing may be written at rest")
	flag.Int64Var(&o.memory, "memory", 200, "MiB of memory that the manager may take at most")
	flag.Parse()
	log.SetLogger(logr.Discard()) // of the stubs
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// measure runs everything, and fails where a limit is broken.
func measure(ctx context.Context, o options) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := startCluster(o.root)
	if err != nil {
		return err
	}
	defer func() {
		cancel() // the stubs' watches would hold the API server up
		err = errors.Join(err, c.stop())
	}()
	p, err := startPlatform(ctx, c)
	if err != nil {
		return err
	}
	if err := c.prepare(ctx, o); err != nil {
		return err
	}
	m, err := startOperator(ctx, o.operator, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.stop()) }()

	r := newReport(o)
	if err := r.apply(ctx, c, p); err != nil {
		return errors.Join(err, m.logs())
	}
	if err := r.takeProcess(m); err != nil {
		return err
	}
	if err := r.atRest(ctx, c, m); err != nil {
		return err
	}
	if err := r.rotate(ctx, c, p); err != nil {
		return err
	}
	return r.finish(o)
}
