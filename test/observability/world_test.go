// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers"
	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/test/dataplane/harness"
	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
	tarsfake "github.com/tars-operator/tars-operator/test/tarsfake/server"
)

const (
	key = "sk-observability-test"
	// memoryLimit of the external processor: 40 % of it, 24 MiB, may be held.
	memoryLimit = "62914560"
	heldLimit   = 62914560 / 100 * 40
	maxBody     = 64 << 20
	// settleTimeout is for what traffic or a scrape brings, on a busy machine.
	settleTimeout = 60 * time.Second
	poll          = 100 * time.Millisecond
)

// backends are the TarsBackends, each for one kind of traffic.
var backends = []string{"good", "rejected", "broke", "failing", "unreachable", "full", "unmetered"}

// world is real traffic and what scrapes it: Envoy, an external processor, the
// stand-in for TARS, the operator's metrics, and Prometheus with the alerts.
type world struct {
	fake       *tarsfake.Server
	envoy      *harness.Envoy
	prometheus *prometheusServer
	// api holds the TarsBackends whose conditions the operator shows.
	api client.Client
	// work has the operator begin to work.
	work func()
}

func startWorld() *world {
	GinkgoHelper()
	w := &world{fake: startFake()}
	o := harness.Options{Root: root, Dir: GinkgoT().TempDir(), Log: GinkgoWriter, Env: []string{"EXTPROC_MEMORY_LIMIT=" + memoryLimit}}
	binary, err := harness.Build(context.Background(), o)
	Expect(err).NotTo(HaveOccurred())
	o.Binary = binary
	cfg, inEnvoy := routes()
	extproc, err := harness.StartExtproc(context.Background(), o, "127.0.0.1:0", cfg)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(extproc.Kill)
	w.envoy, err = harness.StartEnvoy(context.Background(), o, harness.EnvoyConfig{
		Credential: "Bearer " + key,
		Routes:     inEnvoy,
		Entry:      port(extproc.HTTP),
		Processors: map[string][]string{"main": {port(extproc.GRPC)}},
		Upstreams: map[string]harness.Upstream{
			"tars":  {Port: port(strings.TrimPrefix(w.fake.SecureURL(), "https://")), CA: w.fake.CA()},
			"empty": {},
		},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(w.envoy.Kill)
	w.prometheus = startPrometheus(extproc.HTTP, w.startOperator())
	return w
}

// routes are one for each TarsBackend, by path.
func routes() (cfg config.Config, inEnvoy []harness.Route) {
	cfg = config.Config{Version: config.Version, DrainSeconds: 1}
	for _, name := range backends {
		prefix := "/" + name
		cfg.Routes = append(cfg.Routes, config.Route{
			Name: "team/" + name, PathPrefix: prefix, ServerAddress: "api.router.tetrate.ai", ServerPort: 443,
			PassToken: "token-of-" + name, CanaryPath: prefix + "/v1/.well-known/tarsbackend/canary", MaxRequestBytes: maxBody,
		})
		cluster := "tars"
		if name == "unreachable" {
			cluster = "empty"
		}
		inEnvoy = append(inEnvoy, harness.Route{Name: name, Prefix: prefix, Token: "token-of-" + name, Cluster: cluster, Processor: "main"})
	}
	return cfg, inEnvoy
}

func startFake() *tarsfake.Server {
	GinkgoHelper()
	ring := &keys.Ring{}
	_, err := ring.Add(key, nil)
	Expect(err).NotTo(HaveOccurred())
	server, err := tarsfake.Start(tarsfake.Options{Keys: ring})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(server.Close)
	return server
}

// startOperator serves the metrics of a manager that has no API server: the
// conditions of the TarsBackends in w.api, and once w.work is called those of
// a controller. It returns the address.
func (w *world) startOperator() string {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	w.api = fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.TarsBackend{}).Build()
	ctx, stop := context.WithCancel(context.Background())
	DeferCleanup(stop)
	start := func(run func(context.Context) error) {
		ended := make(chan error, 1)
		go func() { ended <- run(ctx) }()
		DeferCleanup(func() {
			stop()
			Eventually(ended).WithTimeout(settleTimeout).Should(Receive(BeNil()))
		})
	}
	start((&controllers.ConditionMetrics{Reader: w.api, Registry: ctrlmetrics.Registry}).Start)
	working := make(chan struct{})
	w.work = func() { close(working) }
	idle := reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) { return reconcile.Result{}, nil })
	reconciler, err := controller.NewUnmanaged(controllers.ControllerName, controller.Options{Reconciler: idle})
	Expect(err).NotTo(HaveOccurred())
	start(func(ctx context.Context) error {
		select {
		case <-working:
			return reconciler.Start(ctx)
		case <-ctx.Done():
			return nil
		}
	})
	server := httptest.NewServer(promhttp.HandlerFor(ctrlmetrics.Registry, promhttp.HandlerOpts{}))
	DeferCleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// condition gives a TarsBackend of namespace team a further condition.
func (w *world) condition(ctx context.Context, name string, c metav1.Condition) {
	GinkgoHelper()
	b := &v1alpha1.TarsBackend{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
	Expect(client.IgnoreAlreadyExists(w.api.Create(ctx, b))).To(Succeed())
	Expect(w.api.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed())
	b.Status.Conditions = append(b.Status.Conditions, c)
	Expect(w.api.Status().Update(ctx, b)).To(Succeed())
}

func port(address string) string {
	GinkgoHelper()
	_, p, err := net.SplitHostPort(address)
	Expect(err).NotTo(HaveOccurred())
	return p
}

// post sends a chat to a TarsBackend, with settings of the stand-in.
func (w *world) post(name, path, body string, headers ...string) int {
	GinkgoHelper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost,
		"http://"+w.envoy.Address+"/"+name+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	req.Header.Set("content-type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return send(req)
}
