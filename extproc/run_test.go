// SPDX-License-Identifier: Apache-2.0

package extproc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/tars-operator/tars-operator/extproc"
	"github.com/tars-operator/tars-operator/extproc/config"
)

func TestExtProc(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc")
}

const (
	timeout = 10 * time.Second
	poll    = 10 * time.Millisecond
)

// logs is a writer for two goroutines.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// running is a Run in this process.
type running struct {
	logs       *logs
	stop       context.CancelFunc
	done       chan error
	grpc, http string
}

func write(cfg config.Config) string {
	GinkgoHelper()
	data, _, err := config.Marshal(cfg)
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(GinkgoT().TempDir(), config.FileName)
	Expect(os.WriteFile(path, data, 0o600)).To(Succeed())
	return path
}

func configuration(drain int64) config.Config {
	return config.Config{Version: config.Version, DrainSeconds: drain, Routes: []config.Route{{
		Name: "ns/name", PathPrefix: "/", PassToken: "t", CanaryPath: "/v1/canary", MaxRequestBytes: 32 << 20,
	}}}
}

func run(cfg config.Config, args ...string) *running {
	GinkgoHelper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{logs: &logs{}, stop: stop, done: make(chan error, 1)}
	args = append([]string{"--config", write(cfg), "--grpc-bind-address", "127.0.0.1:0", "--http-bind-address", "127.0.0.1:0"}, args...)
	go func() {
		defer close(r.done)
		r.done <- extproc.Run(ctx, args, extproc.Process{Version: "v1.2.3", Stderr: r.logs})
	}()
	Eventually(r.serving).WithTimeout(timeout).WithPolling(poll).Should(BeTrue())
	DeferCleanup(stop)
	return r
}

func (r *running) serving() bool {
	for line := range strings.Lines(r.logs.String()) {
		var entry struct{ Msg, GRPC, HTTP string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
			r.grpc, r.http = entry.GRPC, entry.HTTP
			return true
		}
	}
	return false
}

func (r *running) dial() *grpc.ClientConn {
	GinkgoHelper()
	conn, err := grpc.NewClient(r.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(conn.Close)
	return conn
}

func get(url string) (int, string) {
	GinkgoHelper()
	resp, err := http.Get(url)
	Expect(err).NotTo(HaveOccurred())
	body, err := io.ReadAll(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(resp.Body.Close()).To(Succeed())
	return resp.StatusCode, string(body)
}

// openStream begins a request that has not ended.
func openStream(conn *grpc.ClientConn) extprocv3.ExternalProcessor_ProcessClient {
	GinkgoHelper()
	stream, err := extprocv3.NewExternalProcessorClient(conn).Process(context.Background())
	Expect(err).NotTo(HaveOccurred())
	headers := &extprocv3.HttpHeaders{EndOfStream: true, Headers: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
		{Key: ":method", Value: "GET"}, {Key: ":path", RawValue: []byte("/v1/models")},
	}}}
	Expect(stream.Send(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: headers}})).To(Succeed())
	reply, err := stream.Recv()
	Expect(err).NotTo(HaveOccurred())
	Expect(reply.GetRequestHeaders().GetResponse().GetClearRouteCache()).To(BeTrue())
	return stream
}

var _ = Describe("Run", func() {
	BeforeEach(func() {
		before := Goroutines()
		DeferCleanup(func() {
			http.DefaultClient.CloseIdleConnections()
			Eventually(Goroutines).WithTimeout(timeout).WithPolling(poll).ShouldNot(HaveLeaked(before))
		})
	})

	It("serves health, metrics and Envoy, then ends", func() {
		r := run(configuration(10), "--memory-limit", "1000000000")
		health, err := healthv1.NewHealthClient(r.dial()).Check(context.Background(), &healthv1.HealthCheckRequest{})
		Expect(err).NotTo(HaveOccurred())
		Expect(health.GetStatus()).To(Equal(healthv1.HealthCheckResponse_SERVING))
		for _, path := range []string{"/healthz", "/readyz"} {
			status, _ := get("http://" + r.http + path)
			Expect(status).To(Equal(http.StatusOK), path)
		}
		for _, path := range []string{"/v1/models", "/v1//models", "/v1/../metrics", "/"} {
			status, body := get("http://" + r.http + path)
			Expect(status).To(Equal(http.StatusServiceUnavailable), path)
			Expect(body).To(ContainSubstring("request_not_processed"), path)
		}
		_, metrics := get("http://" + r.http + "/metrics")
		Expect(metrics).To(And(ContainSubstring("tars_held_bytes_limit 4e+08"),
			ContainSubstring(`tars_extproc_build_info{version="v1.2.3"} 1`), ContainSubstring(`tars_extproc_config_info{config_hash="`), ContainSubstring("go_goroutines"), ContainSubstring("process_")))
		Expect(r.logs.String()).NotTo(ContainSubstring("too small"))
		r.stop()
		Eventually(r.done).WithTimeout(timeout).Should(Receive(Not(HaveOccurred())))
	})

	It("waits for requests in flight, and is not ready meanwhile", func() {
		r := run(configuration(60))
		conn := r.dial()
		stream := openStream(conn)
		r.stop()
		Eventually(func() int { status, _ := get("http://" + r.http + "/readyz"); return status }).
			WithTimeout(timeout).WithPolling(poll).Should(Equal(http.StatusServiceUnavailable))
		Expect(r.done).NotTo(Receive())
		Expect(stream.CloseSend()).To(Succeed())
		Eventually(r.done).WithTimeout(timeout).Should(Receive(Not(HaveOccurred())))
		Expect(r.logs.String()).To(ContainSubstring(`"drained"`))
	})

	// settledAfterStop is a process whose last request ended in its drain, after the
	// given readings of its metrics.
	settledAfterStop := func(readings int) *running {
		GinkgoHelper()
		r := run(configuration(60))
		stream := openStream(r.dial())
		for range readings {
			get("http://" + r.http + "/metrics")
		}
		r.stop()
		Eventually(r.logs.String).WithTimeout(timeout).WithPolling(poll).Should(ContainSubstring(`"draining"`))
		Expect(stream.CloseSend()).To(Succeed())
		Eventually(r.logs.String).WithTimeout(timeout).WithPolling(poll).Should(ContainSubstring(`"drained"`))
		return r
	}

	It("has the last requests' metrics read before it ends", func() {
		r := settledAfterStop(1)
		Eventually(r.logs.String).WithTimeout(timeout).WithPolling(poll).Should(ContainSubstring("waiting for the metrics"))
		Consistently(r.done).ShouldNot(Receive())
		_, metrics := get("http://" + r.http + "/metrics")
		Expect(metrics).To(ContainSubstring(`tars_requests_total{code="499",path="/v1/models",source="none",tarsbackend="ns/name"} 1`))
		Eventually(r.done).WithTimeout(timeout).Should(Receive(Not(HaveOccurred())))
	})

	It("waits for no reader that there never was, or that is overdue", func() {
		r := settledAfterStop(0)
		Eventually(r.done).WithTimeout(timeout).Should(Receive(Not(HaveOccurred())))
		Expect(r.logs.String()).NotTo(ContainSubstring("waiting for the metrics"))

		r = settledAfterStop(2) // a moment apart: another one would have come in half as much more
		Eventually(r.done).WithTimeout(timeout).Should(Receive(Not(HaveOccurred())))
	})

	It("waits for nobody when everything has been read", func() {
		r := run(configuration(60))
		stream := openStream(r.dial())
		Expect(stream.CloseSend()).To(Succeed())
		Eventually(func() string { _, metrics := get("http://" + r.http + "/metrics"); return metrics }).
			WithTimeout(timeout).WithPolling(poll).Should(ContainSubstring(`tars_requests_total{code="499"`))
		get("http://" + r.http + "/metrics")
		r.stop()
		Eventually(r.done).WithTimeout(timeout).Should(Receive(Not(HaveOccurred())))
		Expect(r.logs.String()).NotTo(ContainSubstring("waiting for the metrics"))
	})

	It("cuts what is left when the drain time is over", func() {
		r := run(configuration(0))
		stream := openStream(r.dial())
		r.stop()
		Eventually(r.done).WithTimeout(timeout).Should(Receive(Not(HaveOccurred())))
		_, err := stream.Recv()
		Expect(err).To(HaveOccurred())
		Expect(r.logs.String()).To(ContainSubstring("cutting"))
	})

	It("says when memory is too small for the largest body", func() {
		r := run(configuration(0), "--memory-limit", "50000000")
		Expect(r.logs.String()).To(ContainSubstring("too small"))
	})

	It("takes the memory limit from the environment", func() {
		GinkgoT().Setenv("EXTPROC_MEMORY_LIMIT", "2000000000")
		r := run(configuration(0))
		_, metrics := get("http://" + r.http + "/metrics")
		Expect(metrics).To(ContainSubstring("tars_held_bytes_limit 8e+08"))
	})

	It("prints its flags", func() {
		var out bytes.Buffer
		Expect(extproc.Run(context.Background(), []string{"--help"}, extproc.Process{Stderr: &out})).To(Succeed())
		Expect(out.String()).To(And(ContainSubstring("-grpc-bind-address"), ContainSubstring("-zap-log-level")))
	})

	It("fails with a reason", func() {
		good := write(configuration(0))
		broken := filepath.Join(GinkgoT().TempDir(), "broken.json")
		Expect(os.WriteFile(broken, []byte(`{"version":"v1","surprise":1}`), 0o600)).To(Succeed())
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(taken.Close)
		for _, c := range []struct {
			want string
			args []string
		}{
			{"no such file", []string{"--config", "/nowhere/config.json"}},
			{"surprise", []string{"--config", broken}},
			{"flag provided but not defined", []string{"--surprise"}},
			{`flags only, not "x"`, []string{"x"}},
			{"above 0", []string{"--config", good, "--memory-limit", "0"}},
			{"listening for gRPC", []string{"--config", good, "--grpc-bind-address", taken.Addr().String(), "--http-bind-address", "127.0.0.1:0"}},
			{"listening for HTTP", []string{"--config", good, "--http-bind-address", taken.Addr().String(), "--grpc-bind-address", "127.0.0.1:0"}},
		} {
			Expect(extproc.Run(context.Background(), c.args, extproc.Process{Stderr: io.Discard})).To(MatchError(ContainSubstring(c.want)))
		}
		GinkgoT().Setenv("EXTPROC_MEMORY_LIMIT", "64Mi")
		Expect(extproc.Run(context.Background(), []string{"--config", good}, extproc.Process{Stderr: io.Discard})).To(MatchError(ContainSubstring("EXTPROC_MEMORY_LIMIT")))
	})
})
