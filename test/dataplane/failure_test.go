// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/test/dataplane/harness"
)

// victim is a world of its own, whose external processor may die.
type victim struct {
	*extproc

	cfg   config.Config
	envoy *envoy
}

func victimConfig() config.Config {
	return config.Config{Version: config.Version, DrainSeconds: 20, Routes: []config.Route{testRoute("victim", "/")}}
}

func startVictim(env ...string) *victim {
	GinkgoHelper()
	return startVictimBeside(nil, victimConfig(), env...)
}

// startVictimWith has an Envoy with other settings.
func startVictimWith(c harness.EnvoyConfig, env ...string) *victim {
	GinkgoHelper()
	v := newVictim(victimConfig(), env...)
	v.startEnvoy(c, port(v.GRPC))
	return v
}

// newVictim has no Envoy yet.
func newVictim(cfg config.Config, env ...string) *victim {
	GinkgoHelper()
	v := &victim{cfg: cfg}
	v.extproc = startExtproc(v.cfg, "127.0.0.1:0", env...)
	DeferCleanup(func() { v.kill() })
	return v
}

// startVictimBeside has Envoy know another external processor too.
func startVictimBeside(other *extproc, cfg config.Config, env ...string) *victim {
	GinkgoHelper()
	v := newVictim(cfg, env...)
	ports := []string{port(v.GRPC)}
	if other != nil {
		ports = append(ports, port(other.GRPC))
	}
	v.startEnvoy(harness.EnvoyConfig{}, ports...)
	return v
}

func (v *victim) startEnvoy(c harness.EnvoyConfig, ports ...string) {
	GinkgoHelper()
	c.Routes = []harness.Route{{Name: "victim", Token: "token-of-victim", Cluster: "tars", Processor: "victim"}}
	c.Entry = port(v.HTTP)
	c.Processors = map[string][]string{"victim": ports}
	c.Upstreams = map[string]harness.Upstream{"tars": world.tls.config()}
	v.envoy = startEnvoy(c)
	DeferCleanup(v.envoy.kill)
}

// beginStream begins a stream of which one chunk comes, and that does not end by itself.
func (v *victim) beginStream() (id string, resp *http.Response) {
	GinkgoHelper()
	id = newID()
	world.tls.answer(id, func(w http.ResponseWriter, r *http.Request) {
		write(w, delta)
		<-r.Context().Done()
	})
	resp = v.ask(context.Background(), id, withUsage)
	read(resp.Body, delta)
	return id, resp
}

// ask sends a chat request through the victim's Envoy.
func (v *victim) ask(ctx context.Context, id, body string) *http.Response {
	GinkgoHelper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+v.envoy.Address+chatPath, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	req.Header.Set("x-request-id", id)
	req.Header.Set("content-type", "application/json")
	resp, err := world.client.Do(req)
	Expect(err).NotTo(HaveOccurred())
	return resp
}

func (v *victim) status(id string) int {
	GinkgoHelper()
	resp := v.ask(context.Background(), id, `{"model":"gpt"}`)
	defer func() { Expect(resp.Body.Close()).To(Succeed()) }()
	body, err := io.ReadAll(resp.Body)
	Expect(err).NotTo(HaveOccurred())
	if resp.StatusCode != http.StatusOK {
		Expect(resp.StatusCode).To(Equal(http.StatusServiceUnavailable))
		Expect(resp.Header.Get("x-tarsbackend-error-source")).To(Equal("extproc"))
		Expect(string(body)).To(ContainSubstring("extproc_unavailable"))
	}
	return resp.StatusCode
}

// refuses tells whether a request is answered 503 within a second.
func (v *victim) refuses() bool {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+v.envoy.Address+chatPath, strings.NewReader(`{"model":"gpt"}`))
	Expect(err).NotTo(HaveOccurred())
	req.Header.Set("content-type", "application/json")
	resp, err := world.client.Do(req)
	if err != nil {
		return false
	}
	Expect(resp.Body.Close()).To(Succeed())
	return resp.StatusCode == http.StatusServiceUnavailable
}

var _ = Describe("An external processor", func() {
	It("that is killed lets nothing through, and serves again when it is back", func() {
		v := startVictim()
		Expect(v.status(newID())).To(Equal(http.StatusOK))
		v.kill()
		for range 5 {
			id := newID()
			Expect(v.status(id)).To(Equal(http.StatusServiceUnavailable))
			Expect(world.tls.requests(id)).To(BeEmpty())
		}
		v.extproc = startExtproc(v.cfg, v.GRPC)
		Eventually(func() int { return v.status(newID()) }).WithTimeout(startTimeout).WithPolling(poll).Should(Equal(http.StatusOK))
	})

	It("that is killed in the middle of a stream cuts it, and the access log has what it knew until then, as an estimate", func() {
		v := startVictim()
		id, resp := v.beginStream()
		v.kill()
		rest, err := io.ReadAll(resp.Body)
		Expect(err).To(HaveOccurred(), "a stream that is cut must not look as if it had ended: %q", rest)
		Expect(resp.Body.Close()).To(Succeed())
		line := v.envoy.line(id)
		Expect(line.Tars).To(And(HaveKeyWithValue("estimated", true), HaveKeyWithValue("total_tokens", BeNumerically(">", 0))))
		Expect(line.Details).To(HavePrefix("ext_proc_error"))
	})

	It("that is killed loses next to nothing while another one lives", func() {
		other := startExtproc(victimConfig(), "127.0.0.1:0")
		DeferCleanup(other.kill)
		v := startVictimBeside(other, victimConfig())
		// Both are known to be healthy once both have answered.
		served := func(e *extproc) bool { return len(e.metrics("tars_requests_total{")) > 0 }
		Eventually(func() bool { return v.status(newID()) == http.StatusOK && served(v.extproc) && served(other) }).
			WithTimeout(startTimeout).WithPolling(poll).Should(BeTrue())
		v.kill()
		// Envoy picks one of both at random and does not avoid the one that
		// failed: nine times in a row it picks that one for 1 of 512 requests.
		lost := 0
		for range 30 {
			if v.status(newID()) != http.StatusOK {
				lost++
			}
		}
		Expect(lost).To(BeNumerically("<=", 2))
	})

	It("that hangs is found out by its health check", func() {
		v := startVictim()
		Expect(v.status(newID())).To(Equal(http.StatusOK))
		v.signal(syscall.SIGSTOP)
		DeferCleanup(func() { v.signal(syscall.SIGCONT) })
		// What was sent before the health check failed hangs on.
		Eventually(v.refuses).WithTimeout(startTimeout).WithPolling(poll).Should(BeTrue())
		id := newID()
		Expect(v.status(id)).To(Equal(http.StatusServiceUnavailable))
		Expect(world.tls.requests(id)).To(BeEmpty())
		v.signal(syscall.SIGCONT)
		Eventually(func() int { return v.status(newID()) }).WithTimeout(startTimeout).WithPolling(poll).Should(Equal(http.StatusOK))
	})

	It("that is told to end lets a stream in flight end first", func() {
		v := startVictim()
		id := newID()
		told := make(chan struct{})
		world.tls.answer(id, func(w http.ResponseWriter, _ *http.Request) {
			write(w, delta)
			<-told
			write(w, usageChunk, done)
		})
		resp := v.ask(context.Background(), id, withUsage)
		read(resp.Body, delta)
		v.signal(syscall.SIGTERM)
		Eventually(v.Output).WithTimeout(stepTimeout).WithPolling(poll).Should(ContainSubstring(`"draining"`))
		Expect(v.Ended()).To(BeFalse())
		close(told)
		read(resp.Body, usageChunk+done)
		Expect(resp.Body.Close()).To(Succeed())
		Eventually(v.Done()).WithTimeout(endTimeout).Should(BeClosed())
		Expect(v.Err()).NotTo(HaveOccurred())
		Expect(v.envoy.line(id).Tars).To(HaveKeyWithValue("total_tokens", 7.0))
	})
})

var _ = Describe("An external processor whose drain time is over", func() {
	It("cuts what still runs, and settles it", func() {
		cfg := victimConfig()
		cfg.DrainSeconds = 1
		v := startVictimBeside(nil, cfg)
		id, resp := v.beginStream()
		v.signal(syscall.SIGTERM)
		_, err := io.ReadAll(resp.Body)
		Expect(err).To(HaveOccurred())
		Expect(resp.Body.Close()).To(Succeed())
		Eventually(v.Done()).WithTimeout(endTimeout).Should(BeClosed())
		Expect(v.Err()).NotTo(HaveOccurred())
		Expect(v.Output()).To(MatchRegexp(`"msg":"request ended".*"outputTokens":1,"estimated":true,"aborted":true`))
		Expect(v.envoy.line(id).Tars).To(And(HaveKeyWithValue("total_tokens", 1.0), HaveKeyWithValue("estimated", true)))
	})
})

var _ = Describe("TARS", func() {
	It("is asked once more after a 503, with the same body", func() {
		id := newID()
		var attempts atomic.Int32
		got := make(chan string, 2)
		world.tls.answer(id, func(w http.ResponseWriter, r *http.Request) {
			body := readAll(r.Body)
			got <- body
			if attempts.Add(1) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			respond(http.StatusOK, "application/json", chatAnswer)(w, r)
		})
		sent := `{"model":"gpt","x":"` + strings.Repeat("x", 20_000) + `"}`
		Expect(post(chatPath, id, sent).body).To(Equal(chatAnswer))
		Expect(same(<-got, sent)).To(BeTrue())
		Expect(same(<-got, sent)).To(BeTrue())
		Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("total_tokens", 7.0))
	})

	DescribeTable("is not asked again, for what may have cost something already,",
		func(handler http.HandlerFunc, status int) {
			id := newID()
			world.tls.answer(id, handler)
			Expect(post(chatPath, id, `{"model":"gpt"}`).status).To(Equal(status))
			Expect(world.tls.requests(id)).To(HaveLen(1))
		},
		Entry("after a reset", resetStream, 503),
		Entry("after a 429", respond(429, "application/json", "{}"), 429),
		Entry("after a 500", respond(500, "application/json", "{}"), 500),
		Entry("after a 502", respond(502, "text/html", "Bad Gateway"), 502),
		Entry("after a 504", respond(504, "application/json", "{}"), 504),
	)

	It("is asked twice at most", func() {
		id := newID()
		world.tls.answer(id, respond(503, "application/json", "{}"))
		Expect(post(chatPath, id, `{"model":"gpt"}`).status).To(Equal(503))
		Expect(world.tls.requests(id)).To(HaveLen(2))
	})
})
