// SPDX-License-Identifier: Apache-2.0

package extproc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/go-logr/logr"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/metrics"
	"github.com/tars-operator/tars-operator/extproc/server"
	"github.com/tars-operator/tars-operator/extproc/trace"
	"github.com/tars-operator/tars-operator/extproc/transport"
)

const (
	// headerTimeout is for clients of the HTTP port.
	headerTimeout = 10 * time.Second
	// flushTimeout is for the last spans; it is part of what a pod gets after
	// its drain to end by itself.
	flushTimeout = 3 * time.Second
	// answerTimeout is for the last answers of the HTTP port; it is a part of that, too.
	answerTimeout = time.Second
)

// daemon is the running process.
type daemon struct {
	log      logr.Logger
	drain    time.Duration
	grpcAddr string
	httpAddr string
	grpc     *transport.Server
	http     *http.Server
	health   *health
	tracer   *trace.Tracer
	scrapes  *scrapes
	ready    atomic.Bool
}

// loaded is the configuration with its hash.
type loaded struct {
	config.Config

	hash string
}

func newDaemon(ctx context.Context, o options, cfg loaded, log logr.Logger) (*daemon, error) {
	budget := memory.NewBudget(config.HeldBytes(o.memoryLimit))
	counters, err := metrics.New(metrics.Options{Budget: budget, Version: o.version, ConfigHash: cfg.hash})
	if err != nil {
		return nil, err
	}
	log = log.WithValues("configHash", cfg.hash)
	pod := os.Getenv(envPodName)
	tracer, err := trace.New(ctx, trace.Options{Version: o.version, Pod: pod, Log: log})
	if err != nil {
		return nil, err
	}
	for _, r := range cfg.Routes {
		if r.MaxRequestBytes > budget.Limit() {
			log.Info("the memory limit is too small for spec.requestBody.maxSize: larger bodies are always refused with 503",
				"tarsbackend", r.Name, "maxRequestBytes", r.MaxRequestBytes, "budgetBytes", budget.Limit())
		}
	}
	d := &daemon{
		log:      log,
		drain:    time.Duration(cfg.DrainSeconds) * time.Second,
		grpcAddr: o.grpcAddress,
		httpAddr: o.httpAddress,
		health:   &health{},
		tracer:   tracer,
		scrapes:  newScrapes(counters.Settled),
	}
	processor := server.New(server.Options{
		Config: cfg.Config, Hash: cfg.hash, Replica: pod, Budget: budget, Metrics: counters, Tracer: tracer, Log: log,
	})
	d.grpc = transport.New(map[string]transport.Method{
		extprocv3.ExternalProcessor_Process_FullMethodName: func(s *transport.Stream) transport.Handler { return processor.Open(s) },
		healthv1.Health_Check_FullMethodName:               d.health.open,
	}, budget, log)
	d.http = &http.Server{Handler: d.routes(d.scrapes.watch(counters.Handler()), processor.Unprocessed), ReadHeaderTimeout: headerTimeout}
	return d, nil
}

// routes are those of the HTTP port: of monitoring, and of the route's rule
// entry, which gets every other path. That one is no pattern of the mux, as the
// mux would redirect paths that it finds unclean.
func (d *daemon) routes(metrics http.Handler, unprocessed http.HandlerFunc) http.Handler {
	own := http.NewServeMux()
	own.Handle("GET /metrics", metrics)
	own.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	own.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !d.ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/metrics", "/healthz", "/readyz":
			own.ServeHTTP(w, r)
		default:
			unprocessed(w, r)
		}
	})
}

// serve runs until ctx ends and everything in flight has ended, or the drain
// time is over.
func (d *daemon) serve(ctx context.Context) error {
	listen := net.ListenConfig{}
	grpcListener, err := listen.Listen(ctx, "tcp", d.grpcAddr)
	if err != nil {
		return fmt.Errorf("listening for gRPC: %w", err)
	}
	httpListener, err := listen.Listen(ctx, "tcp", d.httpAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("listening for HTTP: %w", err), grpcListener.Close())
	}
	failed := make(chan error, 2)
	go func() { failed <- d.grpc.Serve(grpcListener) }()
	go func() { failed <- d.http.Serve(httpListener) }()
	d.ready.Store(true)
	if err := releaseProgram(); err != nil {
		d.log.Info("the memory of the start is not released", "error", err.Error())
	}
	d.log.Info("serving", "grpc", grpcListener.Addr().String(), "http", httpListener.Addr().String())
	select {
	case <-ctx.Done():
		d.stop()
		d.flush(ctx)
		d.scrapes.awaitLast(func(atMost time.Duration) {
			d.log.Info("waiting for the metrics of the last requests to be read", "atMost", atMost.String())
		})
		return d.closed(<-failed, d.endHTTP(ctx), <-failed)
	case err := <-failed:
		d.grpc.Stop()
		return d.closed(err, d.http.Close(), <-failed)
	}
}

// stop lets requests in flight end.
func (d *daemon) stop() {
	d.log.Info("draining", "atMost", d.drain.String())
	d.ready.Store(false)
	d.health.draining.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.grpc.GracefulStop()
	}()
	select {
	case <-done:
		d.log.Info("drained")
	case <-time.After(d.drain):
		d.log.Info("the drain time is over: cutting the requests that are left")
		d.grpc.Stop()
		<-done
	}
}

// flush exports the spans of the last requests, after ctx has ended. They are
// not worth a failure.
func (d *daemon) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if err := d.tracer.Shutdown(ctx); err != nil {
		d.log.Info("the last traces are lost", "error", err.Error())
	}
}

// endHTTP ends the HTTP port once its answers have been written, after ctx has ended.
func (d *daemon) endHTTP(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	if d.http.Shutdown(ctx) == nil {
		return nil
	}
	return d.http.Close()
}

// closed keeps the errors that are not the mark of an orderly end.
func (d *daemon) closed(errs ...error) error {
	var kept []error
	for _, err := range errs {
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, transport.ErrServerClosed) {
			kept = append(kept, err)
		}
	}
	if err := errors.Join(kept...); err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}
