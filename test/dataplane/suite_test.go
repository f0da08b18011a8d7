// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/test/dataplane/harness"
	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
	tarsfake "github.com/tars-operator/tars-operator/test/tarsfake/server"
)

func TestDataPlane(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "dataplane")
}

const (
	chatPath = "/v1/chat/completions"
	// stepTimeout is for one step of an exchange on a busy machine.
	stepTimeout = 20 * time.Second
	credential  = "Bearer sk-dataplane-test"
	maxBody     = 32 << 20
)

// The world of every spec of this process: one Envoy, its upstreams and its
// external processors.
var world struct {
	binary     string // the operator's, of which extproc is a subcommand
	checked    string // that with the race detector, where the suite has it
	tls, plain *upstream
	fake       *tarsfake.Server
	main       *extproc
	envoy      *envoy
	client     *http.Client
}

// testRoute is a route of the external processor's configuration.
func testRoute(name, prefix string) config.Route {
	r := config.Route{
		Name: "default/" + name, PathPrefix: prefix, ServerAddress: "api.router.tetrate.ai", ServerPort: 443,
		PassToken: "token-of-" + name, CanaryPath: prefix + "/v1/.well-known/tarsbackend/canary-of-" + name,
		MaxRequestBytes: maxBody,
	}
	if prefix == "/" {
		r.CanaryPath = r.CanaryPath[1:]
	}
	return r
}

// routes are the TarsBackends: what each is for, and the prefix that tells.
func routes() (cfg config.Config, inEnvoy []harness.Route) {
	open, narrow, forward := testRoute("open", "/"), testRoute("narrow", "/narrow"), testRoute("forward", "/forward")
	narrow.Allow = []string{"claude-*", "gpt-4o-mini"} // sorted, as the operator writes it
	narrow.Aliases = []config.Alias{{Name: "fast", Model: "xai/grok-4.5"}}
	narrow.MaxRequestBytes = 1024
	forward.ForwardUnlistedPaths = true
	forward.Allow = narrow.Allow
	cfg = config.Config{Version: config.Version, DrainSeconds: 20}
	cfg.Routes = []config.Route{open, narrow, forward}
	for _, name := range []string{"free", "plain", "secured", "unprocessed", "dead", "blackhole", "empty", "fake", "distrusted", "limited-openai", "limited-anthropic", "hurried", "impatient", "brief", "browser", "cookies"} {
		cfg.Routes = append(cfg.Routes, testRoute(name, "/"+name))
	}
	for _, r := range cfg.Routes {
		e := harness.Route{Name: r.Name[len("default/"):], Prefix: r.PathPrefix, Token: r.PassToken, Cluster: "tars", Processor: "main"}
		if r.PathPrefix == "/" {
			e.Prefix = ""
		}
		switch e.Name {
		case "plain":
			e.Cluster = "plain"
		case "secured":
			e.Secured = true
		case "unprocessed":
			e.Processor = ""
		case "dead", "blackhole", "empty", "fake", "distrusted", "brief":
			e.Cluster = e.Name
		case "limited-openai", "limited-anthropic":
			e.Limited = true
		case "cookies":
			e.Limited, e.LimitCookies = true, []string{"a=b", "c=d"}
		case "browser":
			e.CORS = true
		case "hurried":
			e.Timeout = "0.5s"
		case "impatient":
			e.IdleTimeout = "0.5s"
		}
		inEnvoy = append(inEnvoy, e)
	}
	return cfg, inEnvoy
}

func port(address string) string {
	GinkgoHelper()
	_, p, err := net.SplitHostPort(address)
	Expect(err).NotTo(HaveOccurred())
	return p
}

// startFake runs the stand-in for TARS in this process.
func startFake() *tarsfake.Server {
	GinkgoHelper()
	ring := &keys.Ring{}
	_, err := ring.Add(strings.TrimPrefix(credential, "Bearer "), nil)
	Expect(err).NotTo(HaveOccurred())
	fake, err := tarsfake.Start(tarsfake.Options{Keys: ring})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(fake.Close)
	return fake
}

// build makes the binaries once for all processes of the suite.
func build() []byte {
	o := options()
	path, err := harness.Build(context.Background(), o)
	Expect(err).NotTo(HaveOccurred())
	checked := path
	if raceDetector {
		o.Dir, o.Race = GinkgoT().TempDir(), true
		checked, err = harness.Build(context.Background(), o)
		Expect(err).NotTo(HaveOccurred())
	}
	return []byte(path + "\n" + checked)
}

var _ = SynchronizedBeforeSuite(build, func(binaries []byte) {
	world.binary, world.checked, _ = strings.Cut(string(binaries), "\n")
	world.tls, world.plain = startUpstream(true), startUpstream(false)
	DeferCleanup(world.tls.Close)
	DeferCleanup(world.plain.Close)
	world.fake = startFake()
	cfg, inEnvoy := routes()
	world.main = startChecked(cfg)
	DeferCleanup(world.main.kill)
	brief := world.tls.config()
	brief.MaxStream = "0.5s"
	world.envoy = startEnvoy(harness.EnvoyConfig{
		Routes:     inEnvoy,
		Entry:      port(world.main.HTTP),
		Processors: map[string][]string{"main": {port(world.main.GRPC)}},
		Upstreams: map[string]harness.Upstream{
			"tars": world.tls.config(), "plain": world.plain.config(), "dead": {Port: "1"}, "blackhole": {Port: blackHole()}, "empty": {},
			"fake":       {Port: port(strings.TrimPrefix(world.fake.SecureURL(), "https://")), CA: world.fake.CA()},
			"distrusted": {Port: port(strings.TrimPrefix(world.fake.SecureURL(), "https://")), CA: world.tls.config().CA},
			"brief":      brief,
		},
	})
	DeferCleanup(world.envoy.kill)
	transport := &http.Transport{DisableCompression: true}
	world.client = &http.Client{Transport: transport}
	DeferCleanup(transport.CloseIdleConnections)
})
