// SPDX-License-Identifier: Apache-2.0

package usage

import "github.com/tars-operator/tars-operator/extproc/jsonscan"

// IDs of the places of an answer. Those from idField on are idField + field.
const (
	idModel = iota + 1
	idChoices
	idType
	idError
	idErrorCode
	idErrorType
	idUsage
	idField
)

// places is where all shapes keep what is of interest: at the top, under
// "message" (Anthropic's message_start) or under "response" (events of
// OpenAI's responses).
func places() *jsonscan.Node {
	block := usageBlock()
	failure := &jsonscan.Node{Key: "error", ID: idError, Children: []*jsonscan.Node{
		{Key: "code", ID: idErrorCode},
		{Key: "type", ID: idErrorType},
	}}
	model := &jsonscan.Node{Key: "model", ID: idModel}
	return &jsonscan.Node{Children: []*jsonscan.Node{
		model, block, failure,
		{Key: "choices", ID: idChoices},
		{Key: "type", ID: idType},
		{Key: "message", Children: []*jsonscan.Node{model, block}},
		{Key: "response", Children: []*jsonscan.Node{model, block, failure}},
	}}
}

func usageBlock() *jsonscan.Node {
	number := func(key string, f field) *jsonscan.Node {
		return &jsonscan.Node{Key: key, ID: idField + int(f)}
	}
	details := func(key, part string, f field) *jsonscan.Node {
		return &jsonscan.Node{Key: key, Children: []*jsonscan.Node{number(part, f)}}
	}
	return &jsonscan.Node{Key: "usage", ID: idUsage, Children: []*jsonscan.Node{
		number("prompt_tokens", promptTokens),
		number("completion_tokens", completionTokens),
		number("total_tokens", totalTokens),
		number("input_tokens", inputTokens),
		number("output_tokens", outputTokens),
		number("cache_read_input_tokens", cacheReadTokens),
		number("cache_creation_input_tokens", cacheCreationTokens),
		details("prompt_tokens_details", "cached_tokens", promptCachedTokens),
		details("input_tokens_details", "cached_tokens", inputCachedTokens),
		details("completion_tokens_details", "reasoning_tokens", completionReasoningTokens),
		details("output_tokens_details", "reasoning_tokens", outputReasoningTokens),
	}}
}
