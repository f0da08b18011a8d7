// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"net/http"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const claude = "claude-sonnet-5"

// anthropicAt makes a client of a route, without retries of its own. It adds
// /v1 itself.
func anthropicAt(route string, options ...option.RequestOption) anthropic.Client {
	return anthropic.NewClient(append([]option.RequestOption{
		option.WithoutEnvironmentDefaults(), option.WithBaseURL(strings.TrimSuffix(stage.URL+"/"+route, "/")),
		option.WithAPIKey(clientKey), option.WithMaxRetries(0),
	}, options...)...)
}

// anthropicOptions carry the headers of a call.
func (c call) anthropicOptions() []option.RequestOption {
	options := make([]option.RequestOption, 0, len(c.headers))
	for name, value := range c.headers {
		options = append(options, option.WithHeader(name, value))
	}
	return options
}

// messageFor asks a model.
func messageFor(model string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: model, MaxTokens: 100, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(prompt))},
	}
}

// toldByMessage is a message's usage as the ledger writes it: there, input has
// the cached tokens in it.
func toldByMessage(u anthropic.Usage) usage {
	return usage{
		Input:       u.InputTokens + u.CacheReadInputTokens + u.CacheCreationInputTokens,
		CachedInput: u.CacheReadInputTokens, CacheCreation: u.CacheCreationInputTokens, Output: u.OutputTokens,
	}
}

var _ = Describe("Anthropic's SDK", func() {
	It("asks for a message", func(ctx SpecContext) {
		client, c := anthropicAt(""), newCall("usage", "100,50,30,0,20")
		var resp *http.Response
		answer, err := client.Messages.New(ctx, messageFor(claude), append(c.anthropicOptions(), option.WithResponseInto(&resp))...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.Content[0].Text).To(ContainSubstring(digest(prompt)))
		Expect(answer.StopReason).To(Equal(anthropic.StopReasonEndTurn))
		Expect(toldByMessage(answer.Usage)).To(And(
			Equal(c.reached(1).Usage), Equal(usage{Input: 100, CachedInput: 30, CacheCreation: 20, Output: 50})))
		Expect(resp.Header.Get("request-id")).To(Equal(c.id))
	})

	DescribeTable("streams a message", func(ctx SpecContext, settings ...string) {
		client, c := anthropicAt(""), newCall(append(settings, "usage", "100,50,30,0,20")...)
		stream := client.Messages.NewStreaming(ctx, messageFor(claude), c.anthropicOptions()...)
		var whole anthropic.Message
		for stream.Next() {
			Expect(whole.Accumulate(stream.Current())).To(Succeed())
		}
		Expect(stream.Err()).NotTo(HaveOccurred())
		Expect(whole.Content[0].Text).To(ContainSubstring(digest(prompt)))
		Expect(toldByMessage(whole.Usage)).To(Equal(c.reached(1).Usage))
	},
		Entry("with usage at its start", "anthropic-usage", "start"), Entry("with usage at both ends", "anthropic-usage", "both"),
		Entry("byte by byte", "anthropic-usage", "both", "split", "1", "chunks", "4"),
		Entry("with CRLF and comments", "anthropic-usage", "start", "eol", "crlf", "comments", "true"),
	)

	It("has a tool called, whole and in a stream", func(ctx SpecContext) {
		client, params := anthropicAt(""), messageFor(claude)
		params.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{Name: "weather"}}}
		c := newCall()
		answer, err := client.Messages.New(ctx, params, c.anthropicOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.StopReason).To(Equal(anthropic.StopReasonToolUse))
		tool := answer.Content[0].AsToolUse()
		Expect(tool.Name).To(Equal("weather"))
		Expect(tool.Input).To(MatchJSON(`{"prompt_sha256":"` + digest(prompt) + `"}`))
		c.reached(1)

		streamed := newCall("chunks", "7")
		stream := client.Messages.NewStreaming(ctx, params, streamed.anthropicOptions()...)
		var whole anthropic.Message
		for stream.Next() {
			Expect(whole.Accumulate(stream.Current())).To(Succeed())
		}
		Expect(stream.Err()).NotTo(HaveOccurred())
		Expect(whole.Content[0].Input).To(MatchJSON(tool.Input))
		streamed.reached(1)

		result := newCall()
		params.Messages = append(params.Messages, answer.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(tool.ID, "sunny", false)))
		answer, err = client.Messages.New(ctx, params, result.anthropicOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.StopReason).To(Equal(anthropic.StopReasonEndTurn))
		Expect(answer.Content[0].Text).To(ContainSubstring(digest("sunny")))
		result.reached(1)
	})

	It("lists models, and shows one by its alias", func(ctx SpecContext) {
		client, c, alias := anthropicAt("narrow"), newCall(), newCall()
		page, err := client.Models.List(ctx, anthropic.ModelListParams{}, c.anthropicOptions()...)
		Expect(err).NotTo(HaveOccurred())
		names := make([]string, 0, len(page.Data))
		for _, model := range page.Data {
			names = append(names, model.ID)
		}
		Expect(names).To(Equal([]string{"gpt-4o-mini", "claude-haiku-4-5", "claude-sonnet-5", "fast"}))
		c.reached(1)
		model, err := client.Models.Get(ctx, "fast", anthropic.ModelGetParams{}, alias.anthropicOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(model.ID).To(Equal("fast"))
		alias.reached(1)
	})

	It("uses an alias", func(ctx SpecContext) {
		client, c := anthropicAt("narrow"), newCall()
		answer, err := client.Messages.New(ctx, messageFor("fast"), c.anthropicOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.Model).To(Equal("xai/grok-4.5"))
		Expect(c.reached(1).ModelAsked).To(Equal("xai/grok-4.5"))
	})

	It("gets in with a client key", func(ctx SpecContext) {
		client := anthropic.NewClient(option.WithoutEnvironmentDefaults(), option.WithBaseURL(stage.URL+"/secured"),
			option.WithAuthToken(stage.ClientKey), option.WithMaxRetries(0))
		c := newCall()
		_, err := client.Messages.New(ctx, messageFor(claude), c.anthropicOptions()...)
		Expect(err).NotTo(HaveOccurred())
		c.reached(1)
	})
})
