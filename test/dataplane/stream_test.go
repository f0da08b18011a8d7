// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	delta      = `data: {"model":"m-1","choices":[{"delta":{"content":"hi"}}],"usage":null}` + "\n\n"
	usageChunk = `data: {"model":"m-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}` + "\n\n"
	done       = "data: [DONE]\n\n"
	ping       = ": ping\n\n"
	// atBegin tells usage that more text follows on.
	atBegin    = `data: {"model":"m-1","choices":[{"delta":{"role":"assistant"}}],"usage":{"prompt_tokens":3,"completion_tokens":0,"total_tokens":3}}` + "\n\n"
	streamBody = `{"model":"gpt","stream":true}`
	withUsage  = `{"model":"gpt","stream":true,"stream_options":{"include_usage":true}}`
)

// write sends pieces, each in a write of its own.
func write(w http.ResponseWriter, pieces ...string) {
	w.Header().Set("content-type", "text/event-stream")
	for _, piece := range pieces {
		if _, err := io.WriteString(w, piece); err != nil {
			GinkgoWriter.Println("upstream:", err)
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			GinkgoWriter.Println("upstream:", err)
		}
	}
}

// open sends a request and leaves the answer's body to be read.
func open(ctx context.Context, path, id, body string) *http.Response {
	GinkgoHelper()
	resp, err := world.client.Do(request(id, "POST "+path, strings.NewReader(body)).WithContext(ctx))
	Expect(err).NotTo(HaveOccurred())
	Expect(resp.StatusCode).To(Equal(http.StatusOK))
	return resp
}

// read reads exactly the text.
func read(r io.Reader, want string) {
	GinkgoHelper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(r, got)
	Expect(err).NotTo(HaveOccurred())
	Expect(string(got)).To(Equal(want))
}

var _ = Describe("A stream", func() {
	DescribeTable("arrives as it is sent: nothing waits for what comes later",
		func(body string) {
			id := newID()
			next := make(chan struct{})
			world.tls.answer(id, func(w http.ResponseWriter, _ *http.Request) {
				for range 5 {
					write(w, delta)
					select {
					case <-next: // the client has read it
					case <-time.After(stepTimeout):
						return
					}
				}
			})
			resp := open(context.Background(), chatPath, id, body)
			for range 5 {
				read(resp.Body, delta)
				next <- struct{}{}
			}
			Expect(io.ReadAll(resp.Body)).To(BeEmpty())
			Expect(resp.Body.Close()).To(Succeed())
		},
		Entry("with usage asked for by the client", withUsage),
		Entry("with usage asked for by us", streamBody),
	)

	It("is asked for usage, and the client sees what it asked for", func() {
		id := newID()
		got := make(chan string, 1)
		world.tls.answer(id, func(w http.ResponseWriter, r *http.Request) {
			body := readAll(r.Body)
			got <- body
			write(w, delta, usageChunk, done)
		})
		Expect(post(chatPath, id, streamBody).body).To(Equal(delta + done))
		Expect(<-got).To(Equal(withUsage))
		Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("total_tokens", 7.0))
	})

	It("arrives whole however it is cut", func() {
		whole := strings.ReplaceAll(": ping\n\n"+delta+usageChunk+done, "\n", "\r\n")
		stripped := strings.ReplaceAll(": ping\n\n"+delta+done, "\n", "\r\n")
		for i := 1; i < len(whole); i++ {
			id, other := newID(), newID()
			handler := func(w http.ResponseWriter, _ *http.Request) { write(w, whole[:i], whole[i:]) }
			world.tls.answer(id, handler)
			world.tls.answer(other, handler)
			Expect(post(chatPath, id, withUsage).body).To(Equal(whole))
			Expect(post(chatPath, other, streamBody).body).To(Equal(stripped), "cut at %d", i)
		}
	})

	It("is ended upstream when the client hangs up, and its usage settled once", func() {
		id := newID()
		cancelled := make(chan struct{})
		world.tls.answer(id, func(w http.ResponseWriter, r *http.Request) {
			write(w, strings.ReplaceAll(delta+usageChunk, "m-1", "hung-up"))
			<-r.Context().Done()
			close(cancelled)
		})
		ctx, hangUp := context.WithCancel(context.Background())
		resp := open(ctx, chatPath, id, withUsage)
		read(resp.Body, strings.ReplaceAll(delta+usageChunk, "m-1", "hung-up"))
		hangUp()
		Eventually(cancelled).WithTimeout(stepTimeout).Should(BeClosed())
		Expect(resp.Body.Close()).To(Succeed())
		Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("total_tokens", 7.0))
		Eventually(func() []string { return world.main.metrics("gen_ai_client_token_usage_count") }).WithTimeout(stepTimeout).WithPolling(poll).
			Should(ContainElement(And(ContainSubstring(`response_model="hung-up",gen_ai_token_type="output"`), HaveSuffix("} 1"))))
		Expect(world.main.metrics("tars_requests_aborted_total")).To(ContainElement(ContainSubstring(`path="/v1/chat/completions",tarsbackend="default/open"`)))
	})

	It("that breaks off is passed on as broken, and counted as missing usage", func() {
		const series = `tars_usage_missing_total{path="/v1/chat/completions",tarsbackend="default/plain"} `
		missing := func() int {
			// Other specs cut answers of this backend too: the difference counts.
			for _, line := range world.main.metrics(series) {
				count, err := strconv.Atoi(strings.TrimPrefix(line, series))
				Expect(err).NotTo(HaveOccurred())
				return count
			}
			return 0
		}
		before := missing()
		id := newID()
		seen := make(chan struct{})
		world.plain.answer(id, func(w http.ResponseWriter, _ *http.Request) {
			write(w, delta)
			<-seen
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				err = conn.Close()
			}
			GinkgoWriter.Println("upstream:", err)
		})
		resp := open(context.Background(), "/plain"+chatPath, id, withUsage)
		read(resp.Body, delta)
		close(seen)
		_, err := io.ReadAll(resp.Body)
		Expect(err).To(HaveOccurred())
		Expect(resp.Body.Close()).To(Succeed())
		Expect(world.envoy.line(id).Tars).To(And(HaveKeyWithValue("total_tokens", 1.0), HaveKeyWithValue("estimated", true)))
		Eventually(missing).WithTimeout(stepTimeout).WithPolling(poll).Should(Equal(before + 1))
	})

	It("that the client leaves early has an estimate in the access log, TARS's own word once it is told", func() {
		prompt := strings.Replace(streamBody, "{", `{"messages":[{"role":"user","content":"the rule makes eleven tokens of these bytes"}],`, 1)
		for _, c := range []struct {
			sent      []string
			seen      string
			total     float64
			estimated bool
		}{
			{[]string{delta}, delta, 12, true},
			{[]string{delta, usageChunk, ping}, delta + ping, 7, false}, // the chunk is taken out
			{[]string{atBegin, delta, delta, delta}, atBegin + delta + delta + delta, 6, true},
		} {
			id := newID()
			world.tls.answer(id, func(w http.ResponseWriter, r *http.Request) {
				write(w, c.sent...)
				<-r.Context().Done()
			})
			ctx, hangUp := context.WithCancel(context.Background())
			resp := open(ctx, chatPath, id, prompt)
			read(resp.Body, c.seen)
			hangUp()
			Expect(resp.Body.Close()).To(Succeed())
			Expect(world.envoy.line(id).Tars).To(And(HaveKeyWithValue("total_tokens", c.total), HaveKeyWithValue("estimated", c.estimated)))
		}
	})

	DescribeTable("that the gateway gives up on may have cost something",
		func(path string, handler http.HandlerFunc, status int, total float64, estimated bool) {
			id := newID()
			world.tls.answer(id, handler)
			Expect(post(path+chatPath, id, `{"model":"gpt","messages":[{"role":"user","content":"12345678"}]}`).status).To(Equal(status))
			Expect(world.envoy.line(id).Tars).To(And(HaveKeyWithValue("total_tokens", total), HaveKeyWithValue("estimated", estimated)))
		},
		Entry("after its time limit", "/hurried", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 504, 2.0, true),
		Entry("after a pause", "/impatient", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 504, 2.0, true),
		Entry("after the time that a stream may take", "/brief", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 504, 2.0, true),
		Entry("when it breaks off before its beginning", "", resetStream, 503, 2.0, true),
		Entry("but not where nobody listens", "/dead", nil, 503, 0.0, false),
		Entry("nor where TARS says no", "", respond(429, "application/json", "{}"), 429, 0.0, false),
	)

	It("keeps its trailers", func() {
		id := newID()
		world.tls.answer(id, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("trailer", "x-end")
			write(w, delta)
			w.Header().Set("x-end", "yes")
		})
		req, err := http.NewRequest(http.MethodPost, "http://"+world.envoy.Address+chatPath, strings.NewReader(withUsage))
		Expect(err).NotTo(HaveOccurred())
		req.Header.Set("x-request-id", id)
		req.Header.Set("content-type", "application/json")
		resp, err := multiplexed().Do(req)
		Expect(err).NotTo(HaveOccurred())
		body, err := io.ReadAll(resp.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(resp.Body.Close()).To(Succeed())
		Expect(string(body)).To(Equal(delta))
		Expect(resp.Trailer).To(HaveKeyWithValue("X-End", []string{"yes"}))
	})
})
