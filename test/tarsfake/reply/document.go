// SPDX-License-Identifier: Apache-2.0

package reply

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"time"
)

// Document is the answer as one JSON document.
func (a Answer) Document() ([]byte, error) { return json.Marshal(a.withUsage(a.body(a.Text()))) }

// body is the answer without its usage.
func (a Answer) body(text string) map[string]any {
	switch a.Request.Kind {
	case Completions:
		return a.envelope("cmpl-", "text_completion", []any{
			map[string]any{"index": 0, "text": text, "logprobs": nil, "finish_reason": "stop"},
		})
	case Responses:
		return a.response("completed", []any{a.outputItem("completed", text)})
	case Messages:
		if a.Request.Tool != "" {
			return a.message([]any{a.toolUse(json.RawMessage(text))}, "tool_use")
		}
		return a.message([]any{map[string]any{"type": "text", "text": text}}, "end_turn")
	case Embeddings:
		return a.embeddings()
	default:
		message := map[string]any{"role": "assistant", "content": text}
		if a.Request.Tool != "" {
			message["content"], message["tool_calls"] = nil, []any{a.chatCall(text)}
		}
		return a.envelope("chatcmpl-", "chat.completion", []any{map[string]any{
			"index": 0, "message": message, "finish_reason": a.finishReason(),
		}})
	}
}

// finishReason is that of a chat.
func (a Answer) finishReason() string {
	if a.Request.Tool != "" {
		return "tool_calls"
	}
	return "stop"
}

// envelope is that of chats and completions.
func (a Answer) envelope(prefix, object string, choices []any) map[string]any {
	return map[string]any{
		"id": prefix + a.ID, "object": object, "created": a.Created, "model": a.Model, "choices": choices,
	}
}

func (a Answer) response(status string, output []any) map[string]any {
	return map[string]any{
		"id": "resp_" + a.ID, "object": "response", "created_at": a.Created, "status": status, "model": a.Model,
		"output": output, "error": nil, "incomplete_details": nil,
	}
}

func (a Answer) outputItem(status, text string) map[string]any {
	if a.Request.Tool != "" {
		return a.functionCall(status, text)
	}
	parts := []any{}
	if status == "completed" {
		parts = append(parts, outputText(text))
	}
	return map[string]any{"id": "msg_" + a.ID, "type": "message", "role": "assistant", "status": status, "content": parts}
}

func outputText(text string) map[string]any {
	return map[string]any{"type": "output_text", "text": text, "annotations": []any{}}
}

func (a Answer) message(content []any, stopReason any) map[string]any {
	return map[string]any{
		"id": "msg_" + a.ID, "type": "message", "role": "assistant", "model": a.Model,
		"content": content, "stop_reason": stopReason, "stop_sequence": nil,
	}
}

func (a Answer) embeddings() map[string]any {
	vector := make([]float32, a.Request.Dimensions)
	for i := range vector {
		vector[i] = 1 / float32(i+1)
	}
	var embedding any = vector
	if a.Request.Base64 {
		var raw []byte
		for _, value := range vector {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(value))
		}
		embedding = base64.StdEncoding.EncodeToString(raw)
	}
	data := make([]any, a.Request.Inputs)
	for i := range data {
		data[i] = map[string]any{"object": "embedding", "index": i, "embedding": embedding}
	}
	return map[string]any{"object": "list", "data": data, "model": a.Model}
}

// released is when every model of the stand-in came out.
var released = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()

// Model is the answer of /v1/models/{id}.
func Model(id string) map[string]any {
	return map[string]any{"id": id, "object": "model", "created": released, "owned_by": owner(id)}
}

// Models is the answer of /v1/models.
func Models(ids []string) map[string]any {
	data := make([]any, len(ids))
	for i, id := range ids {
		data[i] = Model(id)
	}
	return map[string]any{"object": "list", "data": data}
}

func owner(id string) string {
	if provider, _, named := strings.Cut(id, "/"); named {
		return provider
	}
	switch {
	case strings.HasPrefix(id, "claude-"):
		return "anthropic"
	case strings.HasPrefix(id, "gemini-"):
		return "gemini"
	default:
		return "openai"
	}
}
