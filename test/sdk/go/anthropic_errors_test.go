// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/ssestream"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// anthropicRefusal is the error of the SDK.
func anthropicRefusal(err error) *anthropic.Error {
	GinkgoHelper()
	var refusal *anthropic.Error
	Expect(errors.As(err, &refusal)).To(BeTrue(), "%v", err)
	return refusal
}

// drainMessage reads a stream, and returns how many events came and how it
// ended.
func drainMessage(stream *ssestream.Stream[anthropic.MessageStreamEventUnion]) (int, error) {
	events := 0
	for stream.Next() {
		events++
	}
	return events, stream.Err()
}

var _ = Describe("Anthropic's SDK, with an error", func() {
	DescribeTable("of TARS, shows TARS's own words",
		func(ctx SpecContext, name string, status, times int, kind anthropic.ErrorType, message, retryAfter string) {
			for _, streams := range []bool{false, true} {
				client, c := anthropicAt(""), newCall("error", name)
				var err error
				if streams {
					_, err = drainMessage(client.Messages.NewStreaming(ctx, messageFor(claude), c.anthropicOptions()...))
				} else {
					_, err = client.Messages.New(ctx, messageFor(claude), c.anthropicOptions()...)
				}
				refusal := anthropicRefusal(err)
				Expect(refusal.StatusCode).To(Equal(status))
				Expect(refusal.Type()).To(Equal(kind))
				Expect(refusal.RawJSON()).To(MatchJSON(fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%q}}`, kind, message)))
				Expect(refusal.RequestID).To(Equal(c.id))
				Expect(source(refusal.Response)).To(Equal("tars"))
				Expect(refusal.Response.Header.Get("retry-after")).To(Equal(retryAfter))
				c.reached(times)
			}
		},
		Entry(nil, "400", 400, 1, anthropic.ErrorTypeInvalidRequestError, "Invalid request", ""),
		Entry(nil, "401", 401, 1, anthropic.ErrorTypeAuthenticationError, "Invalid API key", ""),
		Entry(nil, "402", 402, 1, anthropic.ErrorTypeBillingError, "Insufficient credits", ""),
		Entry(nil, "404", 404, 1, anthropic.ErrorTypeNotFoundError, "Model not found", ""),
		Entry(nil, "429", 429, 1, anthropic.ErrorTypeRateLimitError, "Rate limit exceeded", "7"),
		Entry(nil, "500", 500, 1, anthropic.ErrorTypeAPIError, "Internal error", ""),
		Entry(nil, "503", 503, 2, anthropic.ErrorTypeOverloadedError, "Service unavailable", ""),
	)

	DescribeTable("of the gateway, tells what to do",
		func(ctx SpecContext, route, model, content string, want []any, part string) {
			client, c := anthropicAt(route), newCall()
			params := messageFor(model)
			params.Messages[0] = anthropic.NewUserMessage(anthropic.NewTextBlock(content))
			_, err := client.Messages.New(ctx, params, c.anthropicOptions()...)
			refusal := anthropicRefusal(err)
			Expect([]any{refusal.StatusCode, source(refusal.Response), refusal.Type()}).To(Equal(want))
			Expect(refusal.RawJSON()).To(And(ContainSubstring(part), ContainSubstring(`"request_id":"`+c.id+`"`)))
			Expect(refusal.RequestID).To(Equal(c.id))
			c.refused()
		},
		Entry("no proper model", "", " ", prompt, []any{400, "client", anthropic.ErrorTypeInvalidRequestError}, "must be a string"),
		Entry("a model that is not allowed", "narrow", "gpt-5-mini", prompt,
			[]any{404, "client", anthropic.ErrorTypeNotFoundError}, "Allowed: fast, gpt-4o-mini, claude-*."),
		Entry("too large", "small", claude, strings.Repeat("x", 1000),
			[]any{413, "client", anthropic.ErrorType("request_too_large")}, "1000 bytes"),
		Entry("without a client key", "secured", claude, prompt,
			[]any{401, "gateway", anthropic.ErrorTypeAuthenticationError}, "client key"),
		Entry("TARS out of reach", "dead", claude, prompt,
			[]any{503, "gateway", anthropic.ErrorTypeOverloadedError}, "connection to TARS failed"),
	)

	It("of a content type or an encoding, tells which", func(ctx SpecContext) {
		for name, value := range map[string]string{"content-type": "text/plain", "content-encoding": "gzip"} {
			client, c := anthropicAt(""), newCall().with(name, value)
			_, err := client.Messages.New(ctx, messageFor(claude), c.anthropicOptions()...)
			refusal := anthropicRefusal(err)
			Expect(refusal.StatusCode).To(Equal(415))
			Expect(refusal.RawJSON()).To(ContainSubstring(value))
			c.refused()
		}
	})

	It("of a limit of the platform, knows it from one of TARS", func(ctx SpecContext) {
		client := anthropicAt("limited")
		var err error
		for range 2 { // one an hour passes
			_, err = client.Messages.New(ctx, messageFor(claude))
		}
		refusal := anthropicRefusal(err)
		Expect([]any{refusal.StatusCode, source(refusal.Response), refusal.Type()}).
			To(Equal([]any{429, "limit", anthropic.ErrorTypeRateLimitError}))
		Expect(refusal.Response.Header.Get("retry-after")).To(MatchRegexp(`^[1-9]\d*$`))
	})

	It("of the time limit, is told so", func(ctx SpecContext) {
		client, c := anthropicAt("hurried"), newCall("silent", "true")
		_, err := client.Messages.New(ctx, messageFor(claude), c.anthropicOptions()...)
		refusal := anthropicRefusal(err)
		Expect([]any{refusal.StatusCode, refusal.Type()}).To(Equal([]any{504, anthropic.ErrorTypeTimeoutError}))
		c.settled("client-gone")
	})

	It("of its own time limit, is heard of upstream", func(ctx SpecContext) {
		client, c := anthropicAt(""), newCall("silent", "true")
		_, err := client.Messages.New(ctx, messageFor(claude), append(c.anthropicOptions(), option.WithRequestTimeout(time.Second/2))...)
		Expect(err).To(MatchError(context.DeadlineExceeded))
		c.settled("client-gone")
	})

	DescribeTable("in a stream, does not take a part for the whole",
		func(ctx SpecContext, route, outcome, part string, settings ...string) {
			client, c := anthropicAt(route), newCall(settings...)
			events, err := drainMessage(client.Messages.NewStreaming(ctx, messageFor(claude), c.anthropicOptions()...))
			Expect(err).To(MatchError(ContainSubstring(part)))
			Expect(events).To(BeNumerically(">", 2))
			c.settled(outcome)
		},
		Entry("that is cut", "", "cut", "EOF", "chunks", "6", "gap", "50ms", "cut", "half"),
		Entry("that stalls", "impatient", "client-gone", "EOF", "chunks", "6", "stall", "1h", "stall-after", "2"),
		Entry("that says so", "", "complete", "Provider disconnected", "error", "mid-stream"),
	)
})
