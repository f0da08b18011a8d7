// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/test/dataplane/harness"
)

// filler is a long text that costs no memory.
type filler struct{}

func (filler) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// large is a body of a size, with the model at its end.
func large(size int64) io.Reader {
	const head, tail = `{"messages":[{"role":"user","content":"`, `"}],"model":"gpt"}`
	return io.MultiReader(strings.NewReader(head), io.LimitReader(filler{}, size-int64(len(head)+len(tail))), strings.NewReader(tail))
}

// multiplexed is a client that speaks HTTP/2 to Envoy: an answer that comes
// before the end of the request's body is never lost to a closed connection.
func multiplexed() *http.Client {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	DeferCleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// endless answers with events until its client is gone, and counts the bytes.
func endless(sent *atomic.Int64) http.HandlerFunc {
	block := strings.Repeat(delta, 1000)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("content-type", "text/event-stream")
		for {
			n, err := io.WriteString(w, block)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

// defaultMemory is the limit that a pod has by default, in bytes, and the variable that tells it.
func defaultMemory() (limit int64, env string) {
	defaults := v1alpha1.DefaultExtProcResources()
	limit = defaults.Limits.Memory().Value()
	return limit, fmt.Sprintf("EXTPROC_MEMORY_LIMIT=%d", limit)
}

var _ = Describe("Memory", func() {
	It("is enough by default for 256 endless answers that nobody reads", func() {
		const clients = 256
		limit, env := defaultMemory()
		v := startVictim(env)
		var sent atomic.Int64
		for range clients {
			id := newID()
			world.tls.answer(id, endless(&sent))
			conn := dialTo(v.envoy)
			DeferCleanup(conn.close)
			Expect(conn.Conn.(*net.TCPConn).SetReadBuffer(4096)).To(Succeed())
			conn.write("POST %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s",
				chatPath, id, len(streamBody), streamBody)
		}
		// Until nothing moves any more, as every buffer on the way is full.
		last := int64(0)
		Eventually(func() bool {
			before := last
			last = sent.Load()
			return before > 0 && before == last
		}).WithTimeout(2 * time.Minute).WithPolling(time.Second).Should(BeTrue())
		peak, err := v.PeakMemory()
		Expect(err).NotTo(HaveOccurred())
		AddReportEntry("memory", fmt.Sprintf("%d MiB were sent; the peak was %d of %d MiB", sent.Load()>>20, peak>>20, limit>>20))
		Expect(peak).To(BeNumerically("<", limit))
		Expect(v.Ended()).To(BeFalse())
	})

	DescribeTable("is enough by default for 256 requests of 20 MB at one time: those that do not fit are told to come again", func(buffer int) {
		const clients, size = 256, 20_000_000
		limit, env := defaultMemory()
		v := startVictimWith(harness.EnvoyConfig{ProcessorBuffer: buffer}, env)
		client := multiplexed()
		replies := make([]reply, clients)
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				defer GinkgoRecover()
				req, err := http.NewRequest(http.MethodPost, "http://"+v.envoy.Address+chatPath, large(size))
				Expect(err).NotTo(HaveOccurred())
				req.Header.Set("content-type", "application/json")
				resp, err := client.Do(req)
				Expect(err).NotTo(HaveOccurred())
				defer func() { Expect(resp.Body.Close()).To(Succeed()) }()
				body, err := io.ReadAll(resp.Body)
				Expect(err).NotTo(HaveOccurred())
				replies[i] = reply{status: resp.StatusCode, header: resp.Header, body: string(body)}
			})
		}
		all.Wait()
		served := 0
		for _, r := range replies {
			if r.status == http.StatusOK {
				served++
				continue
			}
			Expect(r.status).To(Equal(http.StatusServiceUnavailable), r.body)
			Expect(r.body).To(ContainSubstring(`"code":"overloaded"`))
			Expect(r.header.Get("retry-after")).To(Equal("1"))
			Expect(r.header.Get("x-tarsbackend-error-source")).To(Equal("extproc"))
		}
		peak, err := v.PeakMemory()
		Expect(err).NotTo(HaveOccurred())
		AddReportEntry("memory", fmt.Sprintf("%d of %d were served; the peak was %d of %d MiB", served, clients, peak>>20, limit>>20))
		Expect(peak).To(BeNumerically("<", limit))
		Expect(v.Ended()).To(BeFalse())
		Eventually(func() []string { return v.metrics("tars_held_bytes ") }).WithTimeout(stepTimeout).WithPolling(poll).Should(ConsistOf("tars_held_bytes 0"))
		Expect(v.status(newID())).To(Equal(http.StatusOK))
	},
		Entry("with the buffers that the operator asks for", 0),
		Entry("with Envoy Gateway's, as TarsBackends from before have them", 32<<10),
	)

	It("is enough where the Gateway buffers much of each connection, and large bodies come in large messages", func() {
		const clients, size, buffer = 256, 20_000_000, 50 << 20
		limit, env := defaultMemory()
		v := startVictimWith(harness.EnvoyConfig{BufferLimit: buffer}, env)
		var all sync.WaitGroup
		var served, refused, cut atomic.Int64
		for range clients {
			all.Go(func() {
				defer GinkgoRecover()
				req, err := http.NewRequest(http.MethodPost, "http://"+v.envoy.Address+chatPath, large(size))
				Expect(err).NotTo(HaveOccurred())
				req.Header.Set("content-type", "application/json")
				client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				resp, err := client.Do(req)
				if err != nil {
					cut.Add(1) // HTTP/1.1: the answer came before the end of the body, and the connection was closed
					return
				}
				defer func() { Expect(resp.Body.Close()).To(Succeed()) }()
				body, err := io.ReadAll(resp.Body)
				Expect(err).NotTo(HaveOccurred())
				if resp.StatusCode == http.StatusOK {
					served.Add(1)
					return
				}
				refused.Add(1)
				Expect(resp.StatusCode).To(Equal(http.StatusServiceUnavailable))
				Expect(string(body)).To(ContainSubstring(`"code":"overloaded"`))
			})
		}
		all.Wait()
		peak, err := v.PeakMemory()
		Expect(err).NotTo(HaveOccurred())
		AddReportEntry("memory", fmt.Sprintf("%d of %d were served, %d refused, %d cut; the peak was %d of %d MiB",
			served.Load(), clients, refused.Load(), cut.Load(), peak>>20, limit>>20))
		Expect(peak).To(BeNumerically("<", limit))
		Expect(cut.Load()).To(BeNumerically("<", refused.Load()), "most who speak HTTP/1.1 read the refusal, too, on a busy machine as well")
		Expect(v.Ended()).To(BeFalse())
		Eventually(func() []string { return v.metrics("tars_held_bytes ") }).WithTimeout(stepTimeout).WithPolling(poll).Should(ConsistOf("tars_held_bytes 0"))
		Expect(v.status(newID())).To(Equal(http.StatusOK))
	})
})
