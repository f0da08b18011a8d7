// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"context"
	"io"
	"net/http"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/dataplane/harness"
)

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

// soonExported has spans leave at once.
const soonExported = "OTEL_BSP_SCHEDULE_DELAY=20"

// startCollector runs a real OpenTelemetry Collector.
func startCollector() *harness.Collector {
	GinkgoHelper()
	c, err := harness.StartCollector(context.Background(), options())
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(c.Kill()).To(Succeed()) })
	return c
}

// over are the variables that export to a Collector.
func over(c *harness.Collector, protocol string) []string {
	endpoint := "http://" + c.HTTP
	if protocol == "grpc" {
		endpoint = "http://" + c.GRPC
	}
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=" + protocol}
}

// traced sends a chat request with the caller's trace, and returns the status.
func (v *victim) traced(id, flags, body string) int {
	GinkgoHelper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+v.envoy.Address+chatPath, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	req.Header.Set("x-request-id", id)
	req.Header.Set("content-type", "application/json")
	req.Header.Set("traceparent", "00-"+callersTrace+"-"+callersSpan+"-"+flags)
	req.Header.Set("tracestate", "vendor=kept")
	resp, err := world.client.Do(req)
	Expect(err).NotTo(HaveOccurred())
	_, err = io.Copy(io.Discard, resp.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(resp.Body.Close()).To(Succeed())
	return resp.StatusCode
}

// theSpan waits for the only span.
func theSpan(c *harness.Collector) harness.Span {
	GinkgoHelper()
	var span harness.Span
	Eventually(func(g Gomega) {
		spans, err := c.Spans()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(spans).To(HaveLen(1))
		span = spans[0]
	}).WithTimeout(stepTimeout).WithPolling(poll).Should(Succeed())
	return span
}

// traceparents are those that TARS got with a request.
func traceparents(id string) []string {
	GinkgoHelper()
	Expect(world.tls.requests(id)).To(HaveLen(1))
	return world.tls.requests(id)[0].Header.Values("traceparent")
}

var _ = Describe("A trace", func() {
	DescribeTable("joins the caller's, goes on to TARS, and tells the model and the tokens, but no word of the content",
		func(protocol string) {
			c := startCollector()
			v := startVictim(append(over(c, protocol), soonExported, "OTEL_RESOURCE_ATTRIBUTES=team=a")...)
			id := newID()
			world.tls.answer(id, respond(http.StatusOK, "application/json", chatAnswer))
			Expect(v.traced(id, "01", `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"a secret prompt"}]}`)).To(Equal(http.StatusOK))

			span := theSpan(c)
			Expect([]any{span.TraceID, span.ParentSpanID, span.Name, span.Kind, span.Status}).
				To(Equal([]any{callersTrace, callersSpan, "chat gpt-4o-mini", 3, 0}))
			Expect(traceparents(id)).To(Equal([]string{"00-" + callersTrace + "-" + span.SpanID + "-01"}))
			Expect(world.tls.requests(id)[0].Header.Get("tracestate")).To(Equal("vendor=kept"))
			Expect(span.Resource).To(And(HaveKeyWithValue("service.name", "tars-extproc"), HaveKeyWithValue("team", "a"),
				HaveKeyWithValue("service.instance.id", "pod-of-the-test")))
			Expect(span.Attributes).To(Equal(map[string]string{
				"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
				"gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.model": "gpt-4o-mini-1",
				"gen_ai.usage.input_tokens": "3", "gen_ai.usage.output_tokens": "4",
				"server.address": "api.router.tetrate.ai", "server.port": "443",
				"http.request.method": "POST", "http.route": chatPath, "http.response.status_code": "200",
				"tarsbackend.name": "default/victim", "tarsbackend.request.id": id, "tarsbackend.stream": "false",
			}))
			Expect(span.Events).To(Equal([]string{"first byte"}))
			text, err := c.Text()
			Expect(err).NotTo(HaveOccurred())
			Expect(text).NotTo(ContainSubstring("secret"))
			Expect(text).NotTo(ContainSubstring(strings.TrimPrefix(credential, "Bearer ")))
		},
		Entry("by OTLP over gRPC", "grpc"), Entry("by OTLP over HTTP", "http/protobuf"),
	)

	It("tells why a request was refused", func() {
		c := startCollector()
		v := startVictim(append(over(c, "grpc"), soonExported)...)
		Expect(v.traced(newID(), "01", `{}`)).To(Equal(http.StatusBadRequest))
		span := theSpan(c)
		Expect([]any{span.Name, span.Status, span.Attributes["error.type"], span.Attributes["tarsbackend.error.source"]}).
			To(Equal([]any{"chat", 2, "client_400", "client"}))
		Expect(span.Attributes).NotTo(HaveKey("gen_ai.usage.input_tokens"))
	})

	It("is not lost where a request id is no text", func() {
		c := startCollector()
		v := startVictim(append(over(c, "grpc"), soonExported)...)
		id := newID() + "\xff\xfe"
		Expect(v.traced(id, "01", asked)).To(Equal(http.StatusOK))
		Expect(theSpan(c).Attributes).To(HaveKeyWithValue("tarsbackend.request.id", strings.ToValidUTF8(id, "?")))
	})

	It("that the caller does not sample is not exported, and stays the caller's", func() {
		c := startCollector()
		v := startVictim(append(over(c, "grpc"), soonExported)...)
		quiet, loud := newID(), newID()
		Expect(v.traced(quiet, "00", asked)).To(Equal(http.StatusOK))
		Expect(traceparents(quiet)).To(ConsistOf(And(HavePrefix("00-"+callersTrace+"-"), HaveSuffix("-00"))))
		Expect(v.traced(loud, "01", asked)).To(Equal(http.StatusOK))
		Expect(theSpan(c).Attributes).To(HaveKeyWithValue("tarsbackend.request.id", loud))
	})

	It("is exported to its last span when the pod ends", func() {
		c := startCollector()
		v := startVictim(append(over(c, "grpc"), "OTEL_BSP_SCHEDULE_DELAY=600000")...)
		Expect(v.traced(newID(), "01", asked)).To(Equal(http.StatusOK))
		v.signal(syscall.SIGTERM)
		Eventually(v.Done()).WithTimeout(endTimeout).Should(BeClosed())
		Expect(theSpan(c).TraceID).To(Equal(callersTrace))
	})

	It("passes untouched where traces are off, and requests pass where the collector is gone", func() {
		id := newID()
		Expect(startVictim().traced(id, "01", asked)).To(Equal(http.StatusOK))
		Expect(traceparents(id)).To(Equal([]string{"00-" + callersTrace + "-" + callersSpan + "-01"}))
		gone := startVictim("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", soonExported)
		for range 3 {
			Expect(gone.traced(newID(), "01", asked)).To(Equal(http.StatusOK))
		}
	})
})
