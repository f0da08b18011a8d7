// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/test/dataplane/harness"
)

// variant is what stands between client and stand-in.
type variant string

const (
	floor  variant = "floor"  // Envoy alone
	noops  variant = "noop"   // an ext_proc that does nothing
	ours   variant = "ours"   // the operator's
	before variant = "before" // the same of another build
)

const passToken = "token-of-bench"

// stage is the running world of one variant.
type stage struct {
	variant   variant
	envoy     *harness.Envoy
	processor processor
	standIn   *child
}

// processor is an external processor, if the variant has one.
type processor struct {
	pid  int
	port string
	// metrics is the address of Prometheus' metrics, "" for none.
	metrics string
}

// world is everything that one round starts.
type world struct {
	plan    *plan
	dir     string
	standIn *child
	stages  []*stage
	closers []func() error
}

// newWorld starts the processes of every variant of the plan.
func newWorld(ctx context.Context, p *plan) (_ *world, err error) {
	w := &world{plan: p}
	if w.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	w.closers = append(w.closers, func() error { return os.RemoveAll(w.dir) })
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.standIn, err = startChild(ctx, "standin"); err != nil {
		return nil, err
	}
	w.closers = append(w.closers, w.standIn.Kill)
	for _, v := range p.variants {
		s, err := w.stage(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("starting %s: %w", v, err)
		}
		w.stages = append(w.stages, s)
	}
	return w, nil
}

// Close ends everything, the last first.
func (w *world) Close() error {
	var errs []error
	for _, end := range slices.Backward(w.closers) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

func (w *world) stage(ctx context.Context, v variant) (*stage, error) {
	s := &stage{variant: v, standIn: w.standIn}
	o := harness.Options{Root: w.plan.root, Dir: filepath.Join(w.dir, string(v)), LogLevel: "info", Log: io.Discard}
	if err := os.Mkdir(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	var err error
	if s.processor, err = w.processor(ctx, o, v); err != nil {
		return nil, err
	}
	_, upstream, err := net.SplitHostPort(w.standIn.HTTP)
	if err != nil {
		return nil, fmt.Errorf("reading the stand-in's address: %w", err)
	}
	route := harness.Route{Name: "bench", Token: passToken, Cluster: "plain"}
	c := harness.EnvoyConfig{
		Credential: "Bearer " + standInKey, Workers: 1, Entry: upstream,
		Upstreams: map[string]harness.Upstream{"plain": {Port: upstream}},
	}
	if s.processor.port != "" {
		route.Processor = "main"
		c.Processors = map[string][]string{"main": {s.processor.port}}
	}
	c.Routes = []harness.Route{route}
	if s.envoy, err = harness.StartEnvoy(ctx, o, c); err != nil {
		return nil, err
	}
	w.closers = append(w.closers, s.envoy.Kill)
	return s, nil
}

// processor starts the external processor of a variant.
func (w *world) processor(ctx context.Context, o harness.Options, v variant) (processor, error) {
	switch v {
	case floor:
		return processor{}, nil
	case noops:
		c, err := startChild(ctx, "noop")
		if err != nil {
			return processor{}, err
		}
		w.closers = append(w.closers, c.Kill)
		_, port, err := net.SplitHostPort(c.GRPC)
		return processor{pid: c.cmd.Process.Pid, port: port}, err
	default: // a build of the operator
	}
	o.Binary = w.plan.binaries[v]
	limits := v1alpha1.DefaultExtProcResources().Limits
	limit := limits.Memory().Value()
	o.Env = []string{fmt.Sprintf("EXTPROC_MEMORY_LIMIT=%d", limit), profileVariable + "=" + w.plan.profile}
	p, err := harness.StartExtproc(ctx, o, "127.0.0.1:0", extprocConfig())
	if err != nil {
		return processor{}, err
	}
	w.closers = append(w.closers, func() error { return stop(p.Process) })
	_, port, err := net.SplitHostPort(p.GRPC)
	return processor{pid: p.PID(), port: port, metrics: p.HTTP}, err
}

// extprocConfig has a model policy, and one route as every TarsBackend's.
func extprocConfig() config.Config {
	return config.Config{Version: config.Version, DrainSeconds: 1, Routes: []config.Route{{
		Name: "default/bench", PathPrefix: "/", ServerAddress: "api.router.tetrate.ai", ServerPort: 443,
		PassToken: passToken, CanaryPath: "/v1/.well-known/tarsbackend/canary-of-bench",
		MaxRequestBytes: v1alpha1.DefaultMaxRequestBytes,
		Allow:           []string{"claude-*", askedModel},
		Aliases:         []config.Alias{{Name: "fast", Model: "xai/grok-4.5"}},
	}}}
}
