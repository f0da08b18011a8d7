// SPDX-License-Identifier: Apache-2.0

package usage

import "github.com/tars-operator/tars-operator/extproc/jsonscan"

// IDs of the places of an answer. Those from idField on are idField + field,
// those from idTurn on idTurn + field.
const (
	idModel = iota + 1
	idChoices
	idType
	idError
	idErrorCode
	idErrorType
	idUsage
	idStartUsage // in Anthropic's message_start: provisional
	idText       // what the model wrote
	idField
	idTurn = idField + int(fields) // of one turn, of which the block may leave some out
)

// answerPlaces is places, made once: nothing changes it.
var answerPlaces = places()

// places is where all shapes keep what is of interest: at the top, under
// "message" (Anthropic's message_start) or under "response" (events of
// OpenAI's responses).
func places() *jsonscan.Node {
	block, start := usageBlock(idUsage), usageBlock(idStartUsage)
	failure := &jsonscan.Node{Key: "error", ID: idError, Children: []*jsonscan.Node{
		{Key: "code", ID: idErrorCode},
		{Key: "type", ID: idErrorType},
	}}
	model, hosted := &jsonscan.Node{Key: "model", ID: idModel}, hostedBlock()
	return &jsonscan.Node{Children: []*jsonscan.Node{
		model, block, failure, hosted,
		{Key: "choices", ID: idChoices, Each: &jsonscan.Node{Children: []*jsonscan.Node{
			text("text"), written("delta", chatTexts...), written("message", chatTexts...),
		}}},
		{Key: "type", ID: idType},
		{Key: "message", Children: []*jsonscan.Node{model, start}},
		{Key: "response", Children: []*jsonscan.Node{model, block, failure, hosted}},
		// Events of messages have an object there, those of responses a string.
		written("delta", "text", "thinking", "partial_json", "content"),
		// A message or a response in one piece.
		{Key: "content", Each: written("", "text", "thinking")},
		{Key: "output", Each: &jsonscan.Node{Children: []*jsonscan.Node{
			text("arguments"), {Key: "content", Each: written("", "text")},
		}}},
	}}
}

// chatTexts are where a chat's model writes. Providers do not agree on the name of the
// reasons.
var chatTexts = []string{"content", "reasoning_content", "reasoning", "refusal"}

func text(key string) *jsonscan.Node { return &jsonscan.Node{Key: key, ID: idText, Sized: true} }

// written is a place where a model writes: a string, or an object with strings
// and calls of tools.
func written(key string, keys ...string) *jsonscan.Node {
	n := text(key)
	for _, k := range keys {
		n.Children = append(n.Children, text(k))
	}
	arguments := []*jsonscan.Node{text("arguments")}
	n.Children = append(n.Children, &jsonscan.Node{Key: "audio", Children: []*jsonscan.Node{text("transcript")}})
	n.Children = append(n.Children, &jsonscan.Node{Key: "function_call", Children: arguments}, &jsonscan.Node{
		Key: "tool_calls", Each: &jsonscan.Node{Children: []*jsonscan.Node{{Key: "function", Children: arguments}}},
	})
	return n
}

// hostedBlock is what OpenAI's responses tell of the tools that the provider runs: it is not
// in their usage.
func hostedBlock() *jsonscan.Node {
	return &jsonscan.Node{Key: "tool_usage", Children: []*jsonscan.Node{
		{Key: "image_gen", Children: []*jsonscan.Node{
			{Key: "input_tokens", ID: idField + int(hostedInputTokens)},
			{Key: "output_tokens", ID: idField + int(hostedOutputTokens)},
		}},
	}}
}

func usageBlock(id int) *jsonscan.Node {
	number := func(key string, f field) *jsonscan.Node {
		return &jsonscan.Node{Key: key, ID: idField + int(f)}
	}
	turn := func(key string, f field) *jsonscan.Node {
		return &jsonscan.Node{Key: key, ID: idTurn + int(f)}
	}
	details := func(key string, parts ...*jsonscan.Node) *jsonscan.Node {
		return &jsonscan.Node{Key: key, Children: parts}
	}
	return &jsonscan.Node{Key: "usage", ID: id, Children: []*jsonscan.Node{
		number("prompt_tokens", promptTokens),
		number("completion_tokens", completionTokens),
		number("total_tokens", totalTokens),
		number("input_tokens", inputTokens),
		number("output_tokens", outputTokens),
		number("cache_read_input_tokens", cacheReadTokens),
		number("cache_creation_input_tokens", cacheCreationTokens),
		details("prompt_tokens_details", number("cached_tokens", promptCachedTokens), number("cache_write_tokens", promptWrittenTokens)),
		details("input_tokens_details", number("cached_tokens", inputCachedTokens), number("cache_write_tokens", inputWrittenTokens)),
		details("completion_tokens_details", number("reasoning_tokens", completionReasoningTokens)),
		details("output_tokens_details", number("reasoning_tokens", outputReasoningTokens), number("thinking_tokens", outputReasoningTokens)),
		{Key: "iterations", Each: &jsonscan.Node{Children: []*jsonscan.Node{
			turn("input_tokens", inputTokens), turn("output_tokens", outputTokens),
			turn("cache_read_input_tokens", cacheReadTokens), turn("cache_creation_input_tokens", cacheCreationTokens),
		}}},
	}}
}
