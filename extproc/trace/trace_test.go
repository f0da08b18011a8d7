// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestTrace(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/trace")
}

// environment reads pairs of names and values.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

var _ = DescribeTable("The protocol of the export",
	func(want, problem string, pairs ...string) {
		protocol, err := wanted(environment(pairs...))
		Expect(protocol).To(Equal(want))
		if problem == "" {
			Expect(err).NotTo(HaveOccurred())
			return
		}
		Expect(err).To(MatchError(ContainSubstring(problem)))
	},
	Entry("is none without an endpoint", "", ""),
	Entry("is none when the SDK is disabled", "", "", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_SDK_DISABLED", "True"),
	Entry("is none when the exporter is none", "", "", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_TRACES_EXPORTER", "none"),
	Entry("is HTTP by default", protocolHTTP, "", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
	Entry("is HTTP for an endpoint of traces", protocolHTTP, "", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c"),
	Entry("is HTTP to this pod where only the exporter is named", protocolHTTP, "", "OTEL_TRACES_EXPORTER", "otlp"),
	Entry("is gRPC when asked for", protocolGRPC, "", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
	Entry("is that of traces before that of everything", protocolHTTP, "", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://c",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
	Entry("is an error when it is another", "", `OTEL_EXPORTER_OTLP_PROTOCOL is "http/json": write grpc or http/protobuf`,
		"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
	Entry("is an error when the exporter is another", "", `OTEL_TRACES_EXPORTER is "zipkin": write otlp or none`, "OTEL_TRACES_EXPORTER", "zipkin"),
)

var _ = Describe("A span", func() {
	record := func(r Request) sdktrace.ReadOnlySpan {
		GinkgoHelper()
		recorder := tracetest.NewSpanRecorder()
		tracer := newTracer(newProvider(sdktrace.WithSpanProcessor(recorder)))
		began := time.Now().Add(-time.Minute)
		tracer.Start("", "", began).End(r)
		Expect(recorder.Ended()).To(HaveLen(1))
		Expect(recorder.Ended()[0].StartTime()).To(BeTemporally("==", began))
		return recorder.Ended()[0]
	}

	DescribeTable("is named by what was asked", func(want string, r Request) { Expect(record(r).Name()).To(Equal(want)) },
		Entry("operation and model", "chat gpt-5", Request{Operation: "chat", RequestModel: "gpt-5", Method: "POST", Path: "/v1/chat/completions"}),
		Entry("operation alone", "chat", Request{Operation: "chat", Method: "POST", Path: "/v1/chat/completions"}),
		Entry("method and path", "GET /v1/models", Request{Method: "GET", Path: "/v1/models"}),
		Entry("a method that nobody knows", "_OTHER /v1/models", Request{Method: "BREW", Path: "/v1/models"}),
	)

	It("holds no text that is no UTF-8, which would lose others with it", func() {
		attributes := attribute.NewSet(record(Request{RequestID: "a\xffb"}).Attributes()...)
		id, _ := attributes.Value("tarsbackend.request.id")
		Expect(id.AsString()).To(Equal("a?b"))
	})

	It("names a provider where there is an operation", func() {
		provider := func(r Request) string {
			attributes := attribute.NewSet(record(r).Attributes()...)
			value, _ := attributes.Value("gen_ai.provider.name")
			return value.AsString()
		}
		Expect(provider(Request{Operation: "chat", Provider: "openai"})).To(Equal("openai"))
		Expect(provider(Request{Provider: "openai"})).To(BeEmpty())
	})

	It("holds no token count that is not known", func() {
		for _, attribute := range record(Request{InputTokens: 0}).Attributes() {
			Expect(string(attribute.Key)).NotTo(HavePrefix("gen_ai.usage"))
		}
	})

	DescribeTable("keeps little of what a client chooses, unless told otherwise",
		func(limit string, want int) {
			if limit != "" {
				GinkgoT().Setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", limit)
			}
			attributes := attribute.NewSet(record(Request{RequestID: strings.Repeat("x", 60_000)}).Attributes()...)
			id, _ := attributes.Value("tarsbackend.request.id")
			Expect(id.AsString()).To(HaveLen(want))
		},
		Entry("by default", "", 1024), Entry("by the environment", "2000", 2000), Entry("none at all", "0", 0),
	)

	It("is nothing where traces are off", func() {
		tracer, err := New(context.Background(), Options{Log: logr.Discard()})
		Expect(err).NotTo(HaveOccurred())
		Expect(tracer).To(BeNil())
		span := tracer.Start("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "", time.Now())
		span.FirstByte()
		Expect(span.Headers()).To(BeEmpty())
		span.End(Request{})
		Expect(tracer.Shutdown(context.Background())).To(Succeed())
	})
})
