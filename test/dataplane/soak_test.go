// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/iotest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/test/dataplane/harness"
	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

// soakRequests is how many requests a soak sends; TARS_SOAK_REQUESTS, which
// make soak sets, replaces it.
func soakRequests() int {
	GinkgoHelper()
	text := os.Getenv("TARS_SOAK_REQUESTS")
	if text == "" {
		return 3000
	}
	n, err := strconv.Atoi(text)
	Expect(err).NotTo(HaveOccurred())
	return n
}

// soak is a world of its own with the stand-in behind it.
type soak struct {
	*extproc

	envoy  *envoy
	client *http.Client

	mu            sync.Mutex
	read          int // answers read to their end whose usage was sent
	input, output int64
}

func startSoak() *soak {
	GinkgoHelper()
	s := &soak{extproc: startChecked(config.Config{Version: config.Version, DrainSeconds: 20, Routes: []config.Route{testRoute("soak", "/")}}, "GOGC=100")}
	DeferCleanup(s.kill)
	s.envoy = startEnvoy(harness.EnvoyConfig{
		Routes:     []harness.Route{{Name: "soak", Token: "token-of-soak", Cluster: "fake", Processor: "main"}},
		Entry:      port(s.HTTP),
		Processors: map[string][]string{"main": {port(s.GRPC)}},
		Upstreams: map[string]harness.Upstream{
			"fake": {Port: port(strings.TrimPrefix(world.fake.SecureURL(), "https://")), CA: world.fake.CA()},
		},
	})
	DeferCleanup(s.envoy.kill)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	DeferCleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	return s
}

// hurdles are headers of the stand-in for an answer that is not the usual one.
var hurdles = [][2]string{
	{"x-fake-error", "429"}, {"x-fake-error", behaviour.ErrorMidStream}, {"x-fake-error", behaviour.ErrorInside200}, {"x-fake-usage", "absent"},
	{"x-fake-cut", "half"}, {"x-fake-cut", "before-headers"}, {"x-fake-split", "3"}, {"x-fake-eol", "crlf"}, {"x-fake-usage-null", "true"}, {"x-fake-chunks", "40"},
}

// asks are the requests of a soak; the last ones never reach TARS.
var asks = []struct{ path, body string }{
	{chatPath, chat}, {chatPath, chatStream}, {chatPath, chatUsage}, {"/v1/completions", legacyStream}, {"/v1/embeddings", input},
	{"/v1/responses", input}, {"/v1/responses", inputStream}, {"/v1/messages", message}, {"/v1/messages", messages},
	{chatPath, `{"messages":[{"role":"user","content":"` + strings.Repeat("long ", 20_000) + `"}],"stream":true,"model":"gpt-4o-mini"}`},
	{"/v1/models", ""}, {chatPath, `{"model":`}, {chatPath, `{}`}, {"/v1/files", `{}`},
}

// method is how a path is asked.
func method(path string) string {
	if path == "/v1/models" {
		return http.MethodGet
	}
	return http.MethodPost
}

// ask sends a request and leaves it somewhere, or reads the whole answer.
func (s *soak) ask(rng *rand.Rand) {
	defer GinkgoRecover()
	ctx, hangUp := context.WithCancel(context.Background())
	defer hangUp()
	one := asks[rng.IntN(len(asks))]
	body, answer := io.Reader(strings.NewReader(one.body)), int64(1)<<40
	switch rng.IntN(8) {
	case 0: // within the request
		if one.body == "" {
			break
		}
		body = io.MultiReader(strings.NewReader(one.body[:rng.IntN(len(one.body))]), iotest.ErrReader(io.ErrUnexpectedEOF))
	case 1: // while TARS works
		timed, cancel := context.WithTimeout(ctx, time.Duration(rng.IntN(8000))*time.Microsecond)
		defer cancel()
		ctx = timed
	case 2, 3: // within the answer
		answer = rng.Int64N(4000)
	}
	req, err := http.NewRequestWithContext(ctx, method(one.path), "http://"+s.envoy.Address+one.path, body)
	Expect(err).NotTo(HaveOccurred())
	id := newID()
	req.Header.Set("x-request-id", id)
	req.Header.Set("content-type", "application/json")
	if rng.IntN(2) == 0 {
		hurdle := hurdles[rng.IntN(len(hurdles))]
		req.Header.Set(hurdle[0], hurdle[1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return // hung up, or cut by the stand-in
	}
	_, err = io.CopyN(io.Discard, resp.Body, answer)
	hangUp()
	_ = resp.Body.Close()
	if errors.Is(err, io.EOF) && resp.StatusCode == http.StatusOK {
		s.count(id)
	}
}

// count adds what the stand-in told of a request that was read to its end.
func (s *soak) count(id string) {
	e := entry(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.UsageSent {
		s.read++
		s.input, s.output = s.input+e.Usage.Input, s.output+e.Usage.Output
	}
}

// run sends so many requests from several clients and waits until nothing is
// in flight.
func (s *soak) run(requests int, seed uint64) {
	GinkgoHelper()
	const clients = 32
	var all sync.WaitGroup
	for client := range uint64(clients) {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, client))
			for range requests / clients {
				s.ask(rng)
			}
		})
	}
	all.Wait()
	s.client.CloseIdleConnections()
	Eventually(func(g Gomega) {
		g.Expect(s.value("tars_requests_in_flight{")).To(BeZero())
		g.Expect(s.value("tars_held_bytes ")).To(BeZero())
		for line := range strings.Lines(fetch("http://" + s.envoy.Admin + "/stats?filter=(upstream|downstream)_rq_active$")) {
			// The admin port's own is this very request.
			g.Expect(strings.HasPrefix(line, "http.admin.") || strings.HasSuffix(line, ": 0\n")).To(BeTrue(), line)
		}
	}).WithTimeout(time.Minute).WithPolling(poll).Should(Succeed())
}

// value adds up the series that begin so.
func (s *soak) value(prefix string, parts ...string) (total float64) {
	GinkgoHelper()
	for _, line := range s.metrics(prefix) {
		n, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		Expect(err).NotTo(HaveOccurred())
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			total += n
		}
	}
	return total
}

// ledgerSums is what all requests have cost at the stand-in, those included
// whose clients never heard of it.
func ledgerSums() tokens.Usage { return world.fake.Ledger.Summary().Answered }

var _ = Describe("A soak", func() {
	It("leaves nothing behind: no goroutine, no stream, no byte, and each request settled once", func() {
		s := startSoak()
		s.run(320, 1)
		before := ledgerSums()
		// The next collection comes at twice what lived at the last one.
		goroutines, heap := s.value("go_goroutines "), s.value("go_memstats_next_gc_bytes ")
		inference := []string{"gen_ai_server_request_duration_seconds_count{"}
		start := map[string]float64{}
		for _, name := range append(inference, "tars_usage_missing_total{", "tars_requests_total{") {
			start[name] = s.value(name)
		}
		told := s.value("gen_ai_client_token_usage_count{", `type="input"`)
		in, out := s.value("gen_ai_client_token_usage_sum{", `type="input"`), s.value("gen_ai_client_token_usage_sum{", `type="output"`)
		s.read, s.input, s.output = 0, 0, 0

		requests := soakRequests()
		s.run(requests, 2)
		after := ledgerSums()
		told = s.value("gen_ai_client_token_usage_count{", `type="input"`) - told
		in, out = s.value("gen_ai_client_token_usage_sum{", `type="input"`)-in, s.value("gen_ai_client_token_usage_sum{", `type="output"`)-out
		missing := s.value("tars_usage_missing_total{") - start["tars_usage_missing_total{"]
		asked := s.value(inference[0]) - start[inference[0]]
		AddReportEntry("soak", fmt.Sprintf("%d requests, of which Envoy brought %.0f for a model: %.0f told, %.0f missing; %d were read to the end. Goroutines %.0f, before %.0f; next GC at %.1f MiB, before %.1f",
			requests, asked, told, missing, s.read, s.value("go_goroutines "), goroutines, s.value("go_memstats_next_gc_bytes ")/(1<<20), heap/(1<<20)))

		Expect(told + missing).To(BeNumerically("<=", asked))
		Expect(told).To(BeNumerically(">=", s.read), "whoever has read to the end was told")
		Expect(missing).NotTo(BeZero())
		Expect(in).To(And(BeNumerically(">=", s.input), BeNumerically("<=", after.Input-before.Input)))
		Expect(out).To(And(BeNumerically(">=", s.output), BeNumerically("<=", after.Output-before.Output)))
		// Connections of Envoy may come and go, with a goroutine each. A request has none
		// of its own, but for a timer: what it leaves behind shows in the heap.
		Eventually(func() float64 { return s.value("go_goroutines ") }).WithTimeout(stepTimeout).WithPolling(poll).
			Should(BeNumerically("<=", goroutines+20))
		Expect(s.value("go_memstats_next_gc_bytes ")).To(BeNumerically("<=", heap+8<<20))
		s.checkAccessLog()
	})
})

// checkAccessLog looks at every answer: it has a total, whatever cut it, and a total that
// is no estimate is the ledger's of this very request.
func (s *soak) checkAccessLog() {
	GinkgoHelper()
	data, err := os.ReadFile(s.envoy.AccessLog)
	Expect(err).NotTo(HaveOccurred())
	answers, remembered, told := 0, 0, 0
	costs := map[string]*tokens.Usage{}
	for _, e := range world.fake.Ledger.List(ledger.Filter{}).Entries {
		costs[e.RequestID] = e.Usage
	}
	for text := range strings.Lines(string(data)) {
		var line logged
		Expect(json.Unmarshal([]byte(text), &line)).To(Succeed())
		if line.Code != http.StatusOK {
			continue
		}
		answers++
		Expect(line.Tars).To(HaveKey("total_tokens"), text)
		if line.Tars["operation"] != nil {
			Expect(line.Tars).To(HaveKey("estimated"), text)
		}
		cost, ok := costs[line.ID]
		if !ok {
			continue // it was too long ago
		}
		remembered++
		if line.Tars["estimated"] == true || line.Tars["total_tokens"] == 0.0 {
			continue
		}
		told++
		Expect(cost).NotTo(BeNil(), text)
		Expect(line.Tars).To(HaveKeyWithValue("total_tokens", BeNumerically("==", cost.Input+cost.Output)), text)
	}
	Expect(answers).NotTo(BeZero())
	Expect(told).To(BeNumerically(">", remembered/4), "of those that the ledger remembers")
}
