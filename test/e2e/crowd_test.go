// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// crowdEvidence is where a whole crowd's figures go.
const crowdEvidence = "docs/evidence/crowd.json"

// wholeCrowd is the number of TarsBackends on a listener that docs/sizing.md
// speaks of.
const wholeCrowd = 100

// crowdTimeout bounds the start of a whole crowd's pods on two cores.
const crowdTimeout = 15 * time.Minute

// neighbourManifest is another app on the listener, whose answers take Envoy
// as little as an answer can: what the crowd costs is most of it then.
const neighbourManifest = `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: HTTPRouteFilter
metadata: {name: neighbour}
spec: {directResponse: {statusCode: 200, contentType: text/plain, body: {type: Inline, inline: hello}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: neighbour}
spec:
  parentRefs: [{name: crowd}]
  rules:
    - matches: [{path: {value: /neighbour}}]
      filters: [{type: ExtensionRef, extensionRef: {group: gateway.envoyproxy.io, kind: HTTPRouteFilter, name: neighbour}}]
`

// crowdFigures are what a number of TarsBackends makes of the neighbour.
type crowdFigures struct {
	TarsBackends int     `json:"tarsBackends"`
	Requests     int     `json:"requests"`
	PerSecond    float64 `json:"requestsPerSecond"`
	P50          float64 `json:"p50Milliseconds"`
	P99          float64 `json:"p99Milliseconds"`
	CPU          float64 `json:"envoyCPUMicrosecondsPerRequest"`
	Memory       int     `json:"envoyResidentMiB"`
	// Ready is how long the TarsBackends that are new took, from apply.
	Ready float64 `json:"readySeconds,omitempty"`
}

// envoyProcess is the Envoy of a Gateway, as this machine numbers it. The pod's
// other process has the same environment.
func envoyProcess(gateway string) int {
	GinkgoHelper()
	p := envoyPod(gateway)
	files, err := filepath.Glob("/proc/[0-9]*/comm")
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		name, err := os.ReadFile(file)
		if err != nil || string(name) != "envoy\n" {
			continue // it is another, or has ended
		}
		environment, err := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
		if err == nil && strings.Contains("\x00"+string(environment), "\x00ENVOY_POD_NAME="+p.name+"\x00") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			Expect(err).NotTo(HaveOccurred())
			return pid
		}
	}
	Fail("pod " + p.name + " has no process of Envoy")
	return 0
}

// processTime is the CPU time that a process has taken (proc_pid_stat(5)).
func processTime(pid int) time.Duration {
	GinkgoHelper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	Expect(err).NotTo(HaveOccurred())
	_, after, _ := strings.Cut(string(data), ") ")
	const user, system, perSecond = 11, 12, 100 // behind the name
	var ticks int64
	for _, i := range []int{user, system} {
		n, err := strconv.ParseInt(strings.Fields(after)[i], 10, 64)
		Expect(err).NotTo(HaveOccurred())
		ticks += n
	}
	return time.Duration(ticks) * time.Second / perSecond
}

// processMemory is what a process has resident, in MiB.
func processMemory(pid int) int {
	GinkgoHelper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	Expect(err).NotTo(HaveOccurred())
	_, after, _ := strings.Cut(string(data), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	Expect(err).NotTo(HaveOccurred())
	return kib >> 10
}

// measureNeighbour sends it requests from 8 clients, one after the other each.
func measureNeighbour(url string, pid int, seconds time.Duration) crowdFigures {
	GinkgoHelper()
	const clients = 8
	took := make([][]float64, clients)
	failed := make([]error, clients)
	begin, before := time.Now(), processTime(pid)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{Proxy: nil}, Timeout: commandTimeout}
			defer client.CloseIdleConnections()
			for time.Since(begin) < seconds && failed[c] == nil {
				from := time.Now()
				failed[c] = getNeighbour(client, url)
				took[c] = append(took[c], float64(time.Since(from).Microseconds())/1000)
			}
		})
	}
	all.Wait()
	passed, after := time.Since(begin), processTime(pid)
	Expect(failed).To(HaveEach(BeNil()))
	times := slices.Concat(took...)
	slices.Sort(times)
	n := len(times)
	return crowdFigures{
		Requests: n, PerSecond: float64(n) / passed.Seconds(), P50: times[n/2], P99: times[n*99/100],
		CPU: float64((after - before).Microseconds()) / float64(n), Memory: processMemory(pid),
	}
}

// getNeighbour reads all of an answer: otherwise its connection ended, and thousands of
// them a second leave no port for the next.
func getNeighbour(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("reading the neighbour's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK || string(body) != "hello" {
		return fmt.Errorf("the neighbour answered %d, %d bytes", resp.StatusCode, len(body))
	}
	return nil
}

// crowdSize is how many TarsBackends E2E_CROWD asks for (make crowd), and how long each
// measurement takes. Without it a few show that it works, on a machine that has other
// work.
func crowdSize() (n int, long time.Duration, idle bool) {
	GinkgoHelper()
	text := os.Getenv("E2E_CROWD")
	if text == "" {
		return 4, time.Second, false
	}
	n, err := strconv.Atoi(text)
	Expect(err).NotTo(HaveOccurred(), "E2E_CROWD is a number")
	return n, 10 * time.Second, true
}

// crowdManifests are those of some TarsBackends whose pods this machine can hold.
func crowdManifests(namespace string, from, to int) string {
	manifests := ""
	for i := from; i < to; i++ {
		b := backend{
			name: fmt.Sprintf("crowd-%03d", i), namespace: namespace, gateway: "crowd", prefix: fmt.Sprintf("/crowd-%03d", i),
			extra: "extProc: {replicas: 1, resources: {requests: {cpu: 1m, memory: 16Mi}}}",
		}
		manifests += b.manifests()
	}
	return manifests
}

var _ = Describe("A crowd on one listener", func() {
	It("costs the other apps of the listener what docs/sizing.md says", func(ctx SpecContext) {
		whole, long, idle := crowdSize()
		namespace := newNamespace("crowd")
		apply(gatewayNamespace, gatewayManifest("crowd")+"---"+neighbourManifest)
		DeferCleanup(func() {
			kubectl("delete", "-n", gatewayNamespace, "gateway/crowd", "httproute/neighbour", "httproutefilter/neighbour")
		})
		kubectl("wait", "-n", gatewayNamespace, "--for=condition=Programmed", "gateway/crowd", "--timeout=3m")
		url := "http://" + forwardGateway(ctx, "crowd") + "/neighbour"
		Eventually(func() error { return getNeighbour(http.DefaultClient, url) }).Should(Succeed())
		pid := envoyProcess("crowd")
		measureNeighbour(url, pid, long) // to warm up

		var figures []crowdFigures
		note := func(n int, ready time.Duration) {
			if idle {
				eventuallyIdle()
			}
			rounds := []crowdFigures{measureNeighbour(url, pid, long), measureNeighbour(url, pid, long), measureNeighbour(url, pid, long)}
			slices.SortFunc(rounds, func(a, b crowdFigures) int { return cmp.Compare(a.CPU, b.CPU) })
			f := rounds[1]
			f.TarsBackends, f.Ready = n, ready.Seconds()
			figures = append(figures, f)
			fmt.Fprintf(os.Stderr, "crowd of %d: %.0f requests/s, p50 %.2f ms, p99 %.2f ms, Envoy %.0f us/request, %d MiB; Ready in %.0f s\n",
				n, f.PerSecond, f.P50, f.P99, f.CPU, f.Memory, f.Ready)
		}
		note(0, 0)
		from := 0
		for _, to := range []int{max(1, whole/10), whole / 2, whole} {
			if to <= from {
				continue
			}
			note(to, crowdArrives(namespace, url, from, to))
			from = to
		}
		kubectl("delete", "tarsbackend", "--all", "-n", namespace, fmt.Sprintf("--timeout=%s", crowdTimeout))
		note(0, 0)
		if whole >= wholeCrowd {
			data, err := json.MarshalIndent(map[string]any{
				"commit": strings.TrimSpace(must(command{name: "git", args: []string{"rev-parse", "--short=12", "HEAD"}})),
				"note":   "8 clients on one app of the listener, which Envoy answers by itself; medians of three rounds by Envoy's CPU time; all on two cores",
				"rounds": figures,
			}, "", "  ")
			Expect(err).NotTo(HaveOccurred())
			Expect(os.WriteFile(filepath.Join(lab.root, crowdEvidence), append(data, '\n'), 0o600)).To(Succeed())
		}
	})
})

// eventuallyIdle waits until the machine has come to rest: pods that start take
// Envoy's cores from it.
func eventuallyIdle() {
	GinkgoHelper()
	busy := func() (working, all float64) {
		data, err := os.ReadFile("/proc/stat")
		Expect(err).NotTo(HaveOccurred())
		line, _, _ := strings.Cut(string(data), "\n")
		for i, field := range strings.Fields(line)[1:] {
			n, err := strconv.ParseFloat(field, 64)
			Expect(err).NotTo(HaveOccurred())
			const idle, waiting = 3, 4 // proc_stat(5)
			if all += n; i != idle && i != waiting {
				working += n
			}
		}
		return working, all
	}
	worked, passed := busy()
	Eventually(func() float64 {
		before, then := worked, passed
		worked, passed = busy()
		return (worked - before) / (passed - then)
	}).WithPolling(5*time.Second).WithTimeout(readyTimeout).Should(BeNumerically("<", 0.5), "the machine has other work")
}

// crowdArrives applies some more TarsBackends and waits until all are Ready. Not
// one request of the neighbour may fail meanwhile.
func crowdArrives(namespace, url string, from, to int) time.Duration {
	GinkgoHelper()
	others := startLoad(loadPlan{Clients: 1, Pause: 20 * time.Millisecond, Request: func(ctx context.Context, _ int) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	}})
	begin := time.Now()
	apply(namespace, crowdManifests(namespace, from, to))
	ctx, cancel := context.WithTimeout(context.Background(), crowdTimeout)
	defer cancel()
	_, err := command{name: "kubectl", args: []string{
		"wait", "--for=condition=Ready", "tarsbackend", "--all", "-n", namespace, fmt.Sprintf("--timeout=%s", crowdTimeout),
	}}.run(ctx)
	ready := time.Since(begin)
	result := others.stop()
	Expect(err).NotTo(HaveOccurred())
	Expect(result.bad()).To(BeZero(), result.String())
	return ready
}
