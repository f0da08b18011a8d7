// SPDX-License-Identifier: Apache-2.0

package reply

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
)

// Event is one event of a stream.
type Event struct {
	// Name is the event's name; "" for none.
	Name string
	// Data is the JSON document, or [DONE].
	Data []byte
	// Content marks a piece of the text, Usage the event with the final
	// counts, Last the end of the stream.
	Content, Usage, Last bool
}

// draft is an event whose data is not rendered yet.
type draft struct {
	name                 string
	data                 any
	content, usage, last bool
}

// done ends a stream of OpenAI's older APIs; it is not JSON.
const done = "[DONE]"

// Events is the answer as a stream. An event that cannot be rendered ends it
// with the error.
func (a Answer) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for d := range a.drafts() {
			data, err := d.render()
			more := yield(Event{Name: d.name, Data: data, Content: d.content, Usage: d.usage, Last: d.last}, err)
			if err != nil || !more {
				return
			}
		}
	}
}

func (d draft) render() ([]byte, error) {
	if text, plain := d.data.(string); plain {
		return []byte(text), nil
	}
	return json.Marshal(d.data)
}

func (a Answer) drafts() iter.Seq[draft] {
	switch a.Request.Kind {
	case Responses:
		return a.responsesDrafts
	case Messages:
		return a.messagesDrafts
	default:
		return a.choicesDrafts
	}
}

// choicesDrafts is the stream of /v1/chat/completions and /v1/completions.
func (a Answer) choicesDrafts(yield func(draft) bool) {
	for _, opening := range a.openings() {
		if !yield(draft{data: a.chunk(delta(opening, nil))}) {
			return
		}
	}
	for _, piece := range a.Pieces {
		if !yield(draft{data: a.chunk(a.choice(piece)), content: true}) {
			return
		}
	}
	if !yield(draft{data: a.chunk(a.finish())}) {
		return
	}
	if a.Request.IncludeUsage {
		chunk := a.chunk()
		delete(chunk, "usage") // the null of usage-null
		chunk = a.withUsage(chunk)
		if _, told := chunk["usage"]; told && !yield(draft{data: chunk, usage: a.TellsUsage()}) {
			return
		}
	}
	yield(draft{data: done, last: true})
}

// openings are the deltas of a chat before the first piece.
func (a Answer) openings() []map[string]any {
	switch {
	case a.Request.Kind != Chat:
		return nil
	case a.Request.Tool == "":
		return []map[string]any{{"role": "assistant", "content": ""}}
	}
	call := a.chatCall("")
	call["index"] = 0
	return []map[string]any{{"role": "assistant", "content": nil}, {"tool_calls": []any{call}}}
}

func (a Answer) chunk(choices ...any) map[string]any {
	if choices == nil {
		choices = []any{}
	}
	prefix, object := "chatcmpl-", "chat.completion.chunk"
	if a.Request.Kind == Completions {
		prefix, object = "cmpl-", "text_completion"
	}
	chunk := a.envelope(prefix, object, choices)
	if a.Request.IncludeUsage && a.Behaviour.UsageNull {
		chunk["usage"] = nil
	}
	return chunk
}

func (a Answer) choice(piece string) any {
	if a.Request.Kind == Completions {
		return map[string]any{"index": 0, "text": piece, "logprobs": nil, "finish_reason": nil}
	}
	if a.Request.Tool != "" {
		return delta(chatCallPiece(piece), nil)
	}
	return delta(map[string]any{"content": piece}, nil)
}

func (a Answer) finish() any {
	if a.Request.Kind == Completions {
		return map[string]any{"index": 0, "text": "", "logprobs": nil, "finish_reason": "stop"}
	}
	return delta(map[string]any{}, a.finishReason())
}

func delta(delta map[string]any, finishReason any) any {
	return map[string]any{"index": 0, "delta": delta, "finish_reason": finishReason}
}

// messagesDrafts is the stream of /v1/messages.
func (a Answer) messagesDrafts(yield func(draft) bool) {
	start, final := a.anthropicCounts()
	if !a.TellsUsage() {
		start, final = nil, nil
	}
	message, block, stopReason := a.message([]any{}, nil), map[string]any{"type": "text", "text": ""}, "end_turn"
	if a.Request.Tool != "" {
		block, stopReason = a.toolUse(map[string]any{}), "tool_use"
	}
	finish := map[string]any{"type": "message_delta", "delta": map[string]any{"stop_reason": stopReason, "stop_sequence": nil}}
	if a.Behaviour.Usage != behaviour.UsageAbsent {
		message["usage"], finish["usage"] = start, final
	}
	for _, data := range []map[string]any{
		{"type": "message_start", "message": message},
		{"type": "content_block_start", "index": 0, "content_block": block}, {"type": "ping"},
	} {
		if !yield(typed(data)) {
			return
		}
	}
	for _, piece := range a.Pieces {
		d := typed(map[string]any{"type": "content_block_delta", "index": 0, "delta": a.blockDelta(piece)})
		d.content = true
		if !yield(d) {
			return
		}
	}
	if !yield(typed(map[string]any{"type": "content_block_stop", "index": 0})) {
		return
	}
	counted := typed(finish)
	counted.usage = a.TellsUsage()
	if !yield(counted) {
		return
	}
	end := typed(map[string]any{"type": "message_stop"})
	end.last = true
	yield(end)
}

func (a Answer) blockDelta(piece string) map[string]any {
	if a.Request.Tool != "" {
		return map[string]any{"type": "input_json_delta", "partial_json": piece}
	}
	return map[string]any{"type": "text_delta", "text": piece}
}

// typed is an event that is named as its data's type.
func typed(data map[string]any) draft {
	return draft{name: fmt.Sprint(data["type"]), data: data}
}

// responsesDrafts is the stream of /v1/responses.
func (a Answer) responsesDrafts(yield func(draft) bool) {
	number := 0
	send := func(kind string, fields map[string]any) bool {
		fields["type"], fields["sequence_number"] = kind, number
		number++
		d := typed(fields)
		d.content = kind == a.pieceEvent()
		d.last = kind == "response.completed"
		d.usage = d.last && a.TellsUsage()
		return yield(d)
	}
	text := a.Text()
	begun := a.response("in_progress", []any{})
	_ = send("response.created", map[string]any{"response": begun}) &&
		send("response.in_progress", map[string]any{"response": begun}) &&
		send("response.output_item.added", map[string]any{"output_index": 0, "item": a.outputItem("in_progress", "")}) &&
		a.sendOutput(text, send) &&
		send("response.output_item.done", map[string]any{"output_index": 0, "item": a.outputItem("completed", text)}) &&
		send("response.completed", map[string]any{"response": a.withUsage(a.body(text))})
}

// pieceEvent is the event of a piece in a stream of /v1/responses.
func (a Answer) pieceEvent() string {
	if a.Request.Tool != "" {
		return "response.function_call_arguments.delta"
	}
	return "response.output_text.delta"
}

// sendOutput sends what is between the begin and the end of the output's only
// item.
func (a Answer) sendOutput(text string, send func(kind string, fields map[string]any) bool) bool {
	item := func(extra map[string]any) map[string]any {
		extra["output_index"], extra["item_id"] = 0, "msg_"+a.ID
		if a.Request.Tool != "" {
			extra["item_id"] = "fc_" + a.ID
			return extra
		}
		extra["content_index"] = 0
		return extra
	}
	if a.Request.Tool == "" && !send("response.content_part.added", item(map[string]any{"part": outputText("")})) {
		return false
	}
	for _, piece := range a.Pieces {
		if !send(a.pieceEvent(), item(map[string]any{"delta": piece})) {
			return false
		}
	}
	if a.Request.Tool != "" {
		return send("response.function_call_arguments.done", item(map[string]any{"name": a.Request.Tool, "arguments": text}))
	}
	return send("response.output_text.done", item(map[string]any{"text": text})) &&
		send("response.content_part.done", item(map[string]any{"part": outputText(text)}))
}
