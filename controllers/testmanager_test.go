// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/controllers"
	"github.com/tars-operator/tars-operator/controllers/manager"
)

// testManager is a running manager whose requests are counted and whose logs
// are kept.
type testManager struct {
	reconciler *controllers.TarsBackendReconciler
	requests   *requestLog
	logs       *syncBuffer
	elected    <-chan struct{}
	stop       func()
	// die has the manager end without a word to the API server, as one whose node
	// loses its power.
	die func()
}

// startManager runs the manager with a stand-in for the prober. It looks after
// the given namespaces, or after all.
func startManager(cfg *rest.Config, p *fakeProber, namespaces ...string) *testManager {
	GinkgoHelper()
	m := launchManager(cfg, p, namespaces...)
	Eventually(m.elected).Should(BeClosed())
	return m
}

// launchManager starts a manager that may have to wait for its election.
func launchManager(cfg *rest.Config, p *fakeProber, namespaces ...string) *testManager {
	GinkgoHelper()
	return launchManagerWith(cfg, p, func(*ctrl.Options) {}, namespaces...)
}

// launchManagerWith starts a manager with other options.
func launchManagerWith(cfg *rest.Config, p *fakeProber, tune func(*ctrl.Options), namespaces ...string) *testManager {
	GinkgoHelper()
	scheme, err := manager.Scheme()
	Expect(err).NotTo(HaveOccurred())
	cacheOptions, err := controllers.CacheOptions(namespaces)
	Expect(err).NotTo(HaveOccurred())
	m := &testManager{requests: &requestLog{}, logs: &syncBuffer{}}
	cfg = rest.CopyConfig(cfg)
	cut := &atomic.Bool{}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return &countingTransport{next, m.requests, cut} })
	options := ctrl.Options{
		Scheme: scheme, Cache: cacheOptions,
		Logger:                        zap.New(zap.WriteTo(m.logs)),
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress:        "0",
		LeaderElection:                true,
		LeaderElectionID:              manager.LeaderElectionID,
		LeaderElectionNamespace:       leaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		Controller:                    config.Controller{SkipNameValidation: new(true)},
	}
	tune(&options)
	mgr, err := ctrl.NewManager(cfg, options)
	Expect(err).NotTo(HaveOccurred())
	m.reconciler, err = controllers.NewTarsBackendReconciler(context.Background(), mgr, p, controllers.Settings{
		AllowedEndpoints:       []string{"*.tetrate.ai", "tars.example.com"},
		GatewayControllerNames: []gatewayv1.GatewayController{egController},
		ExtProcImage:           "registry.example.com/tars-operator:test",
		Namespaces:             namespaces,
	})
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	m.stop = sync.OnceFunc(func() {
		cancel()
		Eventually(done).Should(Receive(BeNil()))
	})
	m.die = func() {
		cut.Store(true)
		cancel()
		Eventually(done).Should(Receive())
	}
	m.elected = mgr.Elected()
	return m
}

// countingTransport records every request that changes something.
type countingTransport struct {
	next http.RoundTripper
	log  *requestLog
	// cut: nothing gets through any more.
	cut *atomic.Bool
}

func (t *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.cut.Load() {
		return nil, errors.New("the connection is cut")
	}
	send := t.next.RoundTrip
	if s := sabotaged.next(r); s != nil {
		send = func(r *http.Request) (*http.Response, error) { return s.fails(r, t.next.RoundTrip) }
	}
	response, err := send(r)
	if err == nil && response.StatusCode < http.StatusBadRequest {
		granted.note(r, response.StatusCode)
	}
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/secrets/tars-api-key") {
		t.log.reconciled(r.URL.Path)
	}
	if r.Method != http.MethodGet && err == nil {
		t.log.add(fmt.Sprintf("%s %s %d", r.Method, r.URL.Path, response.StatusCode))
	}
	return response, err
}

// requestLog is a list of requests.
type requestLog struct {
	mu   sync.Mutex
	list []string
	// runs counts readings of keys by path: each reconcile begins with one.
	runs map[string]int
}

func (l *requestLog) reconciled(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs == nil {
		l.runs = map[string]int{}
	}
	l.runs[path]++
}

// reconciles is how often the TarsBackend of a namespace was reconciled.
func (l *requestLog) reconciles(namespace string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs["/api/v1/namespaces/"+namespace+"/secrets/tars-api-key"]
}

func (l *requestLog) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, s)
}

// about lists the requests about a namespace, in order.
func (l *requestLog) about(namespace string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, s := range l.list {
		if bytes.Contains([]byte(s), []byte("/namespaces/"+namespace+"/")) {
			found = append(found, s)
		}
	}
	return found
}

// syncBuffer is a buffer that several may write to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
