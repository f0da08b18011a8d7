// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

// openaiAt makes a client of a route, without retries of its own.
func openaiAt(route string, options ...option.RequestOption) openai.Client {
	base := strings.TrimSuffix(stage.URL+"/"+route, "/") + "/v1"
	return openai.NewClient(append([]option.RequestOption{
		option.WithBaseURL(base), option.WithAPIKey(clientKey), option.WithMaxRetries(0),
	}, options...)...)
}

// openaiOptions carry the headers of a call.
func (c call) openaiOptions() []option.RequestOption {
	options := make([]option.RequestOption, 0, len(c.headers))
	for name, value := range c.headers {
		options = append(options, option.WithHeader(name, value))
	}
	return options
}

// chatFor asks a model.
func chatFor(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}}
}

var weather = openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
	Name: "weather", Parameters: openai.FunctionParameters{"type": "object"},
})

// toldBy is a usage as the ledger writes it.
func toldBy(u openai.CompletionUsage) usage {
	GinkgoHelper()
	Expect(u.TotalTokens).To(Equal(u.PromptTokens + u.CompletionTokens))
	return usage{
		Input: u.PromptTokens, CachedInput: u.PromptTokensDetails.CachedTokens,
		Output: u.CompletionTokens, Reasoning: u.CompletionTokensDetails.ReasoningTokens,
	}
}

// toldByResponse is a response's usage as the ledger writes it.
func toldByResponse(u responses.ResponseUsage) usage {
	return usage{
		Input: u.InputTokens, CachedInput: u.InputTokensDetails.CachedTokens,
		Output: u.OutputTokens, Reasoning: u.OutputTokensDetails.ReasoningTokens,
	}
}

var _ = Describe("OpenAI's SDK", func() {
	It("chats", func(ctx SpecContext) {
		c := newCall("usage", "100,50,30,20")
		client := openaiAt("")
		var resp *http.Response
		answer, err := client.Chat.Completions.New(ctx, chatFor("gpt-4o-mini"), append(c.openaiOptions(), option.WithResponseInto(&resp))...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.Choices[0].Message.Content).To(ContainSubstring(digest(prompt)))
		Expect(toldBy(answer.Usage)).To(And(Equal(c.reached(1).Usage), Equal(usage{Input: 100, CachedInput: 30, Output: 50, Reasoning: 20})))
		Expect(resp.Header.Get("x-request-id")).To(Equal(c.id))
	})

	DescribeTable("streams a chat", func(ctx SpecContext, asked bool, settings ...string) {
		c := newCall(settings...)
		client, params := openaiAt(""), chatFor("gpt-4o-mini")
		if asked {
			params.StreamOptions.IncludeUsage = openai.Bool(true)
		}
		stream := client.Chat.Completions.NewStreaming(ctx, params, c.openaiOptions()...)
		var whole openai.ChatCompletionAccumulator
		bare := 0
		for stream.Next() {
			chunk := stream.Current()
			Expect(whole.AddChunk(chunk)).To(BeTrue())
			if len(chunk.Choices) == 0 {
				bare++
			}
		}
		Expect(stream.Err()).NotTo(HaveOccurred())
		Expect(whole.Choices[0].Message.Content).To(ContainSubstring(digest(prompt)))
		e := c.reached(1)
		Expect(e.IncludeUsage).To(BeTrue(), "the gateway asks for usage in any case")
		if asked {
			Expect(bare).To(Equal(1))
			Expect(toldBy(whole.Usage)).To(Equal(e.Usage))
		} else {
			Expect(bare).To(BeZero())
			Expect(whole.Usage.TotalTokens).To(BeZero())
		}
	},
		Entry("without usage", false), Entry("with usage", true),
		Entry("byte by byte", false, "split", "1", "chunks", "4"), Entry("with CRLF", false, "eol", "crlf"),
		Entry("with comments", true, "comments", "true"), Entry("that it takes compressed", false, "encoding", "gzip"),
	)

	It("has a tool called, whole and in a stream", func(ctx SpecContext) {
		client, params := openaiAt(""), chatFor("gpt-4o-mini")
		params.Tools = []openai.ChatCompletionToolUnionParam{weather}
		c := newCall()
		answer, err := client.Chat.Completions.New(ctx, params, c.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.Choices[0].FinishReason).To(Equal("tool_calls"))
		tool := answer.Choices[0].Message.ToolCalls[0]
		Expect(tool.Function.Name).To(Equal("weather"))
		Expect(tool.Function.Arguments).To(MatchJSON(`{"prompt_sha256":"` + digest(prompt) + `"}`))
		c.reached(1)

		streamed := newCall("chunks", "7")
		stream := client.Chat.Completions.NewStreaming(ctx, params, streamed.openaiOptions()...)
		var whole openai.ChatCompletionAccumulator
		for stream.Next() {
			Expect(whole.AddChunk(stream.Current())).To(BeTrue())
		}
		Expect(stream.Err()).NotTo(HaveOccurred())
		Expect(whole.Choices[0].Message.ToolCalls[0].Function).To(And(
			HaveField("Name", "weather"), HaveField("Arguments", MatchJSON(tool.Function.Arguments))))
		streamed.reached(1)

		result := newCall()
		params.Messages = append(params.Messages, answer.Choices[0].Message.ToParam(), openai.ToolMessage("sunny", tool.ID))
		answer, err = client.Chat.Completions.New(ctx, params, result.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.Choices[0].Message.Content).To(ContainSubstring(digest(prompt)))
		result.reached(1)
	})

	It("embeds", func(ctx SpecContext) {
		c := newCall()
		client := openaiAt("")
		answer, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{
			Model: "text-embedding-3-small", Dimensions: openai.Int(4),
			Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a", "b"}},
		}, c.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.Data).To(HaveLen(2))
		Expect(answer.Data[1].Embedding).To(HaveLen(4))
		Expect(answer.Usage.PromptTokens).To(And(Equal(c.reached(1).Usage.Input), Equal(answer.Usage.TotalTokens)))
	})

	It("asks for a response, whole and as a stream", func(ctx SpecContext) {
		client := openaiAt("")
		params := responses.ResponseNewParams{Model: "gpt-5-mini", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(prompt)}}
		c := newCall("usage", "100,50,30,20")
		answer, err := client.Responses.New(ctx, params, c.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.OutputText()).To(ContainSubstring(digest(prompt)))
		Expect(toldByResponse(answer.Usage)).To(And(Equal(c.reached(1).Usage), HaveField("Reasoning", int64(20))))

		streamed := newCall("usage", "100,50,30,20")
		stream := client.Responses.NewStreaming(ctx, params, streamed.openaiOptions()...)
		var text strings.Builder
		var last responses.ResponseStreamEventUnion
		for stream.Next() {
			last = stream.Current()
			if last.Type == "response.output_text.delta" {
				text.WriteString(last.Delta)
			}
		}
		Expect(stream.Err()).NotTo(HaveOccurred())
		Expect(last.Type).To(Equal("response.completed"))
		Expect(last.Response.OutputText()).To(And(Equal(text.String()), ContainSubstring(digest(prompt))))
		Expect(toldByResponse(last.Response.Usage)).To(Equal(streamed.reached(1).Usage))
	})

	It("has a tool called by a response", func(ctx SpecContext) {
		client, c, result := openaiAt(""), newCall(), newCall()
		params := responses.ResponseNewParams{
			Model: "gpt-5-mini", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(prompt)},
			Tools: []responses.ToolUnionParam{responses.ToolParamOfFunction("weather", map[string]any{"type": "object"}, false)},
		}
		answer, err := client.Responses.New(ctx, params, c.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		tool := answer.Output[0].AsFunctionCall()
		Expect(tool.Name).To(Equal("weather"))
		Expect(tool.Arguments).To(MatchJSON(`{"prompt_sha256":"` + digest(prompt) + `"}`))
		c.reached(1)

		params.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
			responses.ResponseInputItemParamOfMessage(prompt, responses.EasyInputMessageRoleUser),
			responses.ResponseInputItemParamOfFunctionCall(tool.Arguments, tool.CallID, tool.Name),
			responses.ResponseInputItemParamOfFunctionCallOutput("sunny"),
		}}
		answer, err = client.Responses.New(ctx, params, result.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.OutputText()).To(ContainSubstring(digest(prompt)))
		result.reached(1)
	})

	It("completes, whole and as a stream", func(ctx SpecContext) {
		client := openaiAt("")
		params := openai.CompletionNewParams{Model: "gpt-4o-mini", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String(prompt)}}
		c := newCall()
		answer, err := client.Completions.New(ctx, params, c.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.Choices[0].Text).To(ContainSubstring(digest(prompt)))
		Expect(toldBy(answer.Usage)).To(Equal(c.reached(1).Usage))

		streamed := newCall()
		stream := client.Completions.NewStreaming(ctx, params, streamed.openaiOptions()...)
		var text strings.Builder
		for stream.Next() {
			chunk := stream.Current()
			Expect(chunk.Choices).To(HaveLen(1))
			Expect(chunk.JSON.Usage.Valid()).To(BeFalse())
			text.WriteString(chunk.Choices[0].Text)
		}
		Expect(stream.Err()).NotTo(HaveOccurred())
		Expect(text.String()).To(ContainSubstring(digest(prompt)))
		streamed.reached(1)
	})

	It("lists models, and shows one by its alias and one with a slash", func(ctx SpecContext) {
		client, c := openaiAt("narrow"), newCall()
		page, err := client.Models.List(ctx, c.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		names := make([]string, 0, len(page.Data))
		for _, model := range page.Data {
			names = append(names, model.ID)
		}
		Expect(names).To(Equal([]string{"gpt-4o-mini", "claude-haiku-4-5", "claude-sonnet-5", "fast"}))
		c.reached(1)

		alias := newCall()
		model, err := client.Models.Get(ctx, "fast", alias.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(model.ID).To(Equal("fast"))
		Expect(alias.reached(1).Path).To(Equal("/v1/models/xai/grok-4.5"))

		slash := newCall()
		everything := openaiAt("")
		model, err = everything.Models.Get(ctx, "xai/grok-4.5", slash.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(model.ID).To(Equal("xai/grok-4.5"))
		slash.reached(1)
	})

	It("uses an alias", func(ctx SpecContext) {
		client, c := openaiAt("narrow"), newCall()
		answer, err := client.Chat.Completions.New(ctx, chatFor("fast"), c.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.Model).To(Equal("xai/grok-4.5"))
		Expect(c.reached(1).ModelAsked).To(Equal("xai/grok-4.5"))
	})

	It("gets in with a client key", func(ctx SpecContext) {
		client, c := openaiAt("secured", option.WithAPIKey(stage.ClientKey)), newCall()
		_, err := client.Chat.Completions.New(ctx, chatFor("gpt-4o-mini"), c.openaiOptions()...)
		Expect(err).NotTo(HaveOccurred())
		c.reached(1)
	})
})
