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
	"strings"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/test/dataplane/harness"
	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
	tarsfake "github.com/tars-operator/tars-operator/test/tarsfake/server"
)

const (
	// injected is the key that Envoy puts on; no client knows it.
	injected = "sk-of-the-platform"
	// clientKey is what the template of Envoy's configuration asks for.
	clientKey = "client-key"
	// maxBody and smallBody are limits of a request's body in bytes.
	maxBody   = 32 << 20
	smallBody = 1000
	// unused is a port where nothing listens.
	unused = "1"
)

// world is everything that runs.
type world struct {
	addresses addresses
	closers   []func() error
}

// close ends everything, the last that was started first.
func (w *world) close() error {
	var err error
	for len(w.closers) > 0 {
		last := len(w.closers) - 1
		err = errors.Join(err, w.closers[last]())
		w.closers = w.closers[:last]
	}
	return err
}

// build starts everything, or nothing.
func build(ctx context.Context, root, dir string, log io.Writer) (*world, error) {
	w := &world{}
	if err := w.start(ctx, harness.Options{Root: root, Dir: dir, Log: log}); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) start(ctx context.Context, o harness.Options) error {
	ring := &keys.Ring{}
	grant, err := ring.Add(injected, nil)
	if err != nil {
		return fmt.Errorf("adding the key: %w", err)
	}
	fake, err := tarsfake.Start(tarsfake.Options{Keys: ring})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, fake.Close)
	if o.Binary, err = harness.Build(ctx, o); err != nil {
		return err
	}
	cfg, routes := stageRoutes()
	processor, err := harness.StartExtproc(ctx, o, "127.0.0.1:0", cfg)
	if err != nil {
		return err
	}
	w.closers = append(w.closers, processor.Kill)
	processorPort, err := port(processor.GRPC)
	if err != nil {
		return err
	}
	entryPort, err := port(processor.HTTP)
	if err != nil {
		return err
	}
	fakePort, err := port(strings.TrimPrefix(fake.SecureURL(), "https://"))
	if err != nil {
		return err
	}
	o.Dir = filepath.Join(o.Dir, "envoy")
	if err := os.Mkdir(o.Dir, 0o700); err != nil {
		return fmt.Errorf("making a folder for Envoy: %w", err)
	}
	envoy, err := harness.StartEnvoy(ctx, o, harness.EnvoyConfig{
		Credential: "Bearer " + injected, Routes: routes, Entry: entryPort,
		Processors: map[string][]string{"main": {processorPort}},
		Upstreams:  map[string]harness.Upstream{"tars": {Port: fakePort, CA: fake.CA()}, "dead": {Port: unused}},
	})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, envoy.Kill)
	w.addresses = addresses{URL: "http://" + envoy.Address, Admin: fake.AdminURL(), Key: grant.Fingerprint, ClientKey: clientKey}
	return nil
}

func port(address string) (string, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("reading the address %q: %w", address, err)
	}
	return port, nil
}

// route is a TarsBackend in both configurations.
type route struct {
	config.Route

	inEnvoy harness.Route
}

// newRoute is a TarsBackend below a prefix that is its name; with the name ""
// it serves what no other does.
func newRoute(name string) route {
	prefix := "/" + name
	r := route{
		Route: config.Route{
			Name: "default/stage-" + name, PathPrefix: prefix, ServerAddress: "api.router.tetrate.ai", ServerPort: 443,
			PassToken: "token-of-" + name, MaxRequestBytes: maxBody,
		},
		inEnvoy: harness.Route{Name: "stage-" + name, Prefix: prefix, Token: "token-of-" + name, Processor: "main", Cluster: "tars"},
	}
	if name == "" {
		r.inEnvoy.Prefix = ""
	}
	r.CanaryPath = r.inEnvoy.Prefix + "/v1/.well-known/tarsbackend/canary"
	return r
}

// stageRoutes are the TarsBackends.
func stageRoutes() (config.Config, []harness.Route) {
	open, narrow, small, secured, dead := newRoute(""), newRoute("narrow"), newRoute("small"), newRoute("secured"), newRoute("dead")
	narrow.Allow = []string{"gpt-4o-mini", "claude-*"}
	narrow.Aliases = []config.Alias{{Name: "fast", Model: "xai/grok-4.5"}}
	small.MaxRequestBytes = smallBody
	forward := newRoute("forward")
	forward.ForwardUnlistedPaths = true
	secured.inEnvoy.Secured = true
	dead.inEnvoy.Cluster = "dead"
	// One for the whole answer, one for pauses in it.
	hurried, impatient := newRoute("hurried"), newRoute("impatient")
	hurried.inEnvoy.Timeout = "1s"
	impatient.inEnvoy.IdleTimeout = "1s"
	limited := newRoute("limited")
	limited.inEnvoy.Limited = true

	all := []route{narrow, small, forward, secured, dead, hurried, impatient, limited, open}
	cfg := config.Config{Version: config.Version, DrainSeconds: 1}
	inEnvoy := make([]harness.Route, 0, len(all))
	for _, r := range all {
		cfg.Routes, inEnvoy = append(cfg.Routes, r.Route), append(inEnvoy, r.inEnvoy)
	}
	return cfg, inEnvoy
}
