// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"strings"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/protobuf/proto"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/metrics"
	"github.com/tars-operator/tars-operator/extproc/server"
)

// discard is Envoy's end of a gRPC stream: what an exchange costs with it is what it
// costs beside the transport.
type discard struct{}

func (discard) Send(_, _ []byte) error { return nil }

func (discard) Expect(int64) {}

func (discard) Room() bool { return true }

// measuredExchange is one as Envoy sends it, with the number of objects that it may
// allocate: what it takes with the race detector and a tenth more. Whoever needs more raises it, and
// says why.
type measuredExchange struct {
	messages    []*extprocv3.ProcessingRequest
	allocations int
}

func exchangesMeasured() map[string]measuredExchange {
	ask := func(body string) []*extprocv3.ProcessingRequest {
		messages := []*extprocv3.ProcessingRequest{requestHeaders(false,
			":scheme", "http", ":method", "POST", ":authority", "gateway.example.com", ":path", chatPath,
			"user-agent", "OpenAI/Python 2.1.0", "accept", "application/json", "content-type", "application/json",
			"authorization", "Bearer of-the-client", "x-forwarded-proto", "http", "x-request-id", "d2b9a4c2-9d2b-4a58-8f0e-8e3c1f1b0c11",
			"x-stainless-lang", "python", "x-stainless-runtime", "CPython")}
		const read = 32 << 10 // at once, by Envoy
		for len(body) > read {
			messages, body = append(messages, requestBody(body[:read], false)), body[read:]
		}
		return append(messages, requestBody(body, true))
	}
	answer := func(contentType string, pieces ...string) []*extprocv3.ProcessingRequest {
		messages := []*extprocv3.ProcessingRequest{withAttributes(bareResponseHeaders(200, false,
			"content-type", contentType, "date", "Mon, 02 Jan 2006 15:04:05 GMT", "server", "tars", "x-envoy-upstream-service-time", "12"),
			"response.code_details", "via_upstream", "request.path", chatPath, "request.method", "POST", "request.id", "d2b9a4c2")}
		for i, piece := range pieces {
			messages = append(messages, responseBody(piece, i == len(pieces)-1))
		}
		return messages
	}
	text := strings.Repeat(`The quick brown fox jumps over the lazy dog.\n`, 23_000)
	const document = `{"id":"x","model":"gpt-4o-mini","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`
	stream := make([]string, 0, 102)
	for range 100 {
		stream = append(stream, `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}`+"\n\n")
	}
	stream = append(stream, "data: "+strings.Replace(document, `[{"message":{"content":"hi"}}]`, "[]", 1)+"\n\n", "data: [DONE]\n\n")
	return map[string]measuredExchange{
		"a small request":   {append(ask(`{"messages":[{"role":"user","content":"hi"}],"model":"gpt-4o-mini"}`), answer(jsonType, document)...), 78},
		"a request of 1 MB": {append(ask(`{"messages":[{"role":"user","content":"`+text+`"}],"model":"gpt-4o-mini"}`), answer(jsonType, document)...), 94},
		"a stream of 100":   {append(ask(`{"messages":[],"model":"gpt-4o-mini","stream":true}`), answer(streamType, stream...)...), 209},
	}
}

// measured is a processor of one restricted route, without a test's conveniences.
func measured() (*server.Processor, error) {
	budget := memory.NewBudget(100 << 20)
	counters, err := metrics.New(metrics.Options{Budget: budget})
	if err != nil {
		return nil, err
	}
	route := config.Route{
		Name: "ns/name", PathPrefix: "/", ServerAddress: "tars.example.com", ServerPort: 443, PassToken: token,
		CanaryPath: "/v1/canary", MaxRequestBytes: 32 << 20,
	}
	restricted(&route)
	return server.New(server.Options{
		Config: config.Config{Routes: []config.Route{route}}, Budget: budget, Metrics: counters, Log: logr.Discard(),
	}), nil
}

// exchanges runs an exchange from bytes to bytes.
func exchanges(messages []*extprocv3.ProcessingRequest) (func() error, error) {
	processor, err := measured()
	if err != nil {
		return nil, err
	}
	encoded := make([][]byte, len(messages))
	for i, msg := range messages {
		if encoded[i], err = proto.Marshal(msg); err != nil {
			return nil, err
		}
	}
	return func() error {
		handler := processor.Open(discard{})
		defer handler.Close()
		for _, text := range encoded {
			if err := deliver(handler, text); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func BenchmarkExchange(b *testing.B) {
	for name, exchange := range exchangesMeasured() {
		run, err := exchanges(exchange.messages)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var _ = Describe("An exchange", func() {
	for name, exchange := range exchangesMeasured() {
		It("allocates no more than it has to: "+name, func() {
			run, err := exchanges(exchange.messages)
			Expect(err).NotTo(HaveOccurred())
			const runs = 20
			allocations := testing.AllocsPerRun(runs, func() { Expect(run()).To(Succeed()) })
			Expect(allocations).To(BeNumerically("<=", exchange.allocations))
		})
	}
})
