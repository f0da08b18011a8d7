// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"errors"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
)

// openaiRefusal is the error of the SDK.
func openaiRefusal(err error) *openai.Error {
	GinkgoHelper()
	var refusal *openai.Error
	Expect(errors.As(err, &refusal)).To(BeTrue(), "%v", err)
	return refusal
}

// drain reads a stream, and returns how many chunks came and how it ended.
func drain[T any](stream *ssestream.Stream[T]) (int, error) {
	chunks := 0
	for stream.Next() {
		chunks++
	}
	return chunks, stream.Err()
}

var _ = Describe("OpenAI's SDK, with an error", func() {
	DescribeTable("of TARS, shows TARS's own words",
		func(ctx SpecContext, name string, status, times int, code, message, retryAfter string) {
			for _, streams := range []bool{false, true} {
				client, c := openaiAt(""), newCall("error", name)
				var err error
				if streams {
					_, err = drain(client.Chat.Completions.NewStreaming(ctx, chatFor("gpt-4o-mini"), c.openaiOptions()...))
				} else {
					_, err = client.Chat.Completions.New(ctx, chatFor("gpt-4o-mini"), c.openaiOptions()...)
				}
				refusal := openaiRefusal(err)
				Expect(refusal.StatusCode).To(Equal(status))
				Expect(refusal.Code).To(Equal(code))
				Expect(refusal.Message).To(Equal(message))
				Expect(source(refusal.Response)).To(Equal("tars"))
				Expect(refusal.Response.Header.Get("x-request-id")).To(Equal(c.id))
				Expect(refusal.Response.Header.Get("retry-after")).To(Equal(retryAfter))
				c.reached(times)
			}
		},
		Entry(nil, "400", 400, 1, "400", "Invalid request", ""),
		Entry(nil, "401", 401, 1, "401", "Invalid API key", ""),
		Entry(nil, "402", 402, 1, "402", "Insufficient credits", ""),
		Entry(nil, "404", 404, 1, "404", "Model not found", ""),
		Entry(nil, "413", 413, 1, "413", "Request too large", ""),
		Entry(nil, "429", 429, 1, "429", "Rate limit exceeded", "7"),
		Entry(nil, "500", 500, 1, "500", "Internal error", ""),
		Entry(nil, "503", 503, 2, "503", "Service unavailable", ""),
		Entry(nil, "model_not_ready", 503, 2, "model_not_ready", "The model is not active yet for this key", "3"),
	)

	DescribeTable("of the gateway, tells what to do",
		func(ctx SpecContext, route, model, content string, want []any, part string) {
			client, c := openaiAt(route), newCall()
			params := chatFor(model)
			params.Messages[0] = openai.UserMessage(content)
			_, err := client.Chat.Completions.New(ctx, params, c.openaiOptions()...)
			refusal := openaiRefusal(err)
			Expect([]any{refusal.StatusCode, source(refusal.Response), refusal.Type, refusal.Code, refusal.Param}).To(Equal(want))
			Expect(refusal.Message).To(ContainSubstring(part))
			Expect(refusal.Response.Header.Get("x-request-id")).To(Equal(c.id))
			c.refused()
		},
		Entry("no proper model", "", " ", prompt, []any{400, "client", "invalid_request_error", "invalid_model", "model"}, "must be a string"),
		Entry("a model that is not allowed", "narrow", "gpt-5-mini", prompt,
			[]any{404, "client", "invalid_request_error", "model_not_found", "model"}, "Allowed: fast, gpt-4o-mini, claude-*."),
		Entry("too large", "small", "gpt-4o-mini", strings.Repeat("x", 1000),
			[]any{413, "client", "invalid_request_error", "request_too_large", ""}, "1000 bytes"),
		Entry("without a client key", "secured", "gpt-4o-mini", prompt,
			[]any{401, "gateway", "authentication_error", "unauthorized", ""}, "client key"),
		Entry("TARS out of reach", "dead", "gpt-4o-mini", prompt,
			[]any{503, "gateway", "server_error", "upstream_connect_error", ""}, "connection to TARS failed"),
	)

	It("of a content type or an encoding, tells which", func(ctx SpecContext) {
		for name, value := range map[string]string{"content-type": "text/plain", "content-encoding": "gzip"} {
			client, c := openaiAt(""), newCall().with(name, value)
			_, err := client.Chat.Completions.New(ctx, chatFor("gpt-4o-mini"), c.openaiOptions()...)
			Expect(openaiRefusal(err)).To(And(HaveField("StatusCode", 415), HaveField("Message", ContainSubstring(value))))
			c.refused()
		}
	})

	It("of a limit of the platform, knows it from one of TARS", func(ctx SpecContext) {
		client := openaiAt("limited")
		var err error
		for range 2 { // one an hour passes
			_, err = client.Chat.Completions.New(ctx, chatFor("gpt-4o-mini"))
		}
		refusal := openaiRefusal(err)
		Expect([]any{refusal.StatusCode, source(refusal.Response), refusal.Type, refusal.Code}).
			To(Equal([]any{429, "limit", "rate_limit_error", "rate_limit_exceeded"}))
		Expect(refusal.Response.Header.Get("retry-after")).To(MatchRegexp(`^[1-9]\d*$`))
	})

	It("of the time limit, is told so", func(ctx SpecContext) {
		client, c := openaiAt("hurried"), newCall("silent", "true")
		_, err := client.Chat.Completions.New(ctx, chatFor("gpt-4o-mini"), c.openaiOptions()...)
		Expect(openaiRefusal(err)).To(And(HaveField("StatusCode", 504), HaveField("Code", "gateway_timeout")))
		c.settled("client-gone")
	})

	It("of its own time limit, is heard of upstream", func(ctx SpecContext) {
		client, c := openaiAt(""), newCall("silent", "true")
		_, err := client.Chat.Completions.New(ctx, chatFor("gpt-4o-mini"), append(c.openaiOptions(), option.WithRequestTimeout(time.Second/2))...)
		Expect(err).To(MatchError(context.DeadlineExceeded))
		c.settled("client-gone")
	})

	DescribeTable("in a stream, does not take a part for the whole",
		func(ctx SpecContext, route, outcome, part string, settings ...string) {
			client, c := openaiAt(route), newCall(settings...)
			chunks, err := drain(client.Chat.Completions.NewStreaming(ctx, chatFor("gpt-4o-mini"), c.openaiOptions()...))
			Expect(err).To(MatchError(ContainSubstring(part)))
			Expect(chunks).To(BeNumerically(">", 1))
			c.settled(outcome)
		},
		Entry("that is cut", "", "cut", "EOF", "chunks", "6", "gap", "50ms", "cut", "half"),
		Entry("that stalls", "impatient", "client-gone", "EOF", "chunks", "6", "stall", "1h", "stall-after", "2"),
		Entry("that says so", "", "complete", "Provider disconnected", "error", "mid-stream"),
	)

	It("within a 200, finds no choice", func(ctx SpecContext) {
		client, c := openaiAt(""), newCall("error", "inside-200")
		answer, err := client.Chat.Completions.New(ctx, chatFor("gpt-4o-mini"), c.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.Choices).To(BeEmpty())
		Expect(answer.RawJSON()).To(MatchJSON(`{"error":{"code":402,"message":"Insufficient credits"}}`))
		c.reached(1)
	})
})
