// SPDX-License-Identifier: Apache-2.0

package reply

import "encoding/json"

// tool returns the name of the tool that a request makes the model call, ""
// for none: the one of tool_choice, or else the first. A request that brings a
// tool's result is answered with a text, and so is tool_choice none.
func (d document) tool(kind Kind) string {
	offered, isList := d.Tools.([]any)
	if !isList || len(offered) == 0 || kind == Completions || kind == Embeddings || d.bringsResult(kind) {
		return ""
	}
	switch choice := d.ToolChoice.(type) {
	case string:
		if choice == "none" {
			return ""
		}
	case map[string]any:
		if choice["type"] == "none" {
			return ""
		}
		if name := toolName(choice); name != "" {
			return name
		}
	}
	return toolName(offered[0])
}

// toolName reads the name of a tool or of a choice, which in the chat API is
// within function.
func toolName(item any) string {
	tool, isObject := item.(map[string]any)
	if !isObject {
		return ""
	}
	if function, nested := tool["function"].(map[string]any); nested {
		tool = function
	}
	name, isText := tool["name"].(string)
	if !isText {
		return ""
	}
	return name
}

// bringsResult tells whether the last message is the result of a tool.
func (d document) bringsResult(kind Kind) bool {
	value := d.Messages
	if kind == Responses {
		value = d.Input
	}
	list, isList := value.([]any)
	if !isList || len(list) == 0 {
		return false
	}
	last, isObject := list[len(list)-1].(map[string]any)
	if !isObject {
		return false
	}
	if last["role"] == "tool" || last["type"] == "function_call_output" {
		return true
	}
	parts, isList := last["content"].([]any)
	if !isList || len(parts) == 0 {
		return false
	}
	part, isObject := parts[0].(map[string]any)
	return isObject && part["type"] == "tool_result"
}

// arguments are those of a tool's call: they prove what was read.
func arguments(prompt string) (string, error) {
	data, err := json.Marshal(map[string]string{"prompt_sha256": Digest([]byte(prompt))})
	return string(data), err
}

// callID is the id of the tool's call.
func (a Answer) callID() string {
	if a.Request.Kind == Messages {
		return "toolu_" + a.ID
	}
	return "call_" + a.ID
}

// chatCall is a tool's call in a chat completion or, with its index, in a
// stream of it.
func (a Answer) chatCall(arguments string) map[string]any {
	return map[string]any{
		"id": a.callID(), "type": "function",
		"function": map[string]any{"name": a.Request.Tool, "arguments": arguments},
	}
}

// chatCallPiece is a piece of the arguments in a stream.
func chatCallPiece(piece string) map[string]any {
	return map[string]any{"tool_calls": []any{
		map[string]any{"index": 0, "function": map[string]any{"arguments": piece}},
	}}
}

// toolUse is a tool's call in a message.
func (a Answer) toolUse(input any) map[string]any {
	return map[string]any{"type": "tool_use", "id": a.callID(), "name": a.Request.Tool, "input": input}
}

// functionCall is a tool's call in a response.
func (a Answer) functionCall(status, arguments string) map[string]any {
	return map[string]any{
		"id": "fc_" + a.ID, "type": "function_call", "call_id": a.callID(), "name": a.Request.Tool,
		"arguments": arguments, "status": status,
	}
}
