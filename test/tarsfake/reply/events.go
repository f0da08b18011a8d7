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
	if a.Request.Kind == Chat && !yield(draft{data: a.chunk(delta(map[string]any{"role": "assistant", "content": ""}, nil))}) {
		return
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
	return delta(map[string]any{"content": piece}, nil)
}

func (a Answer) finish() any {
	if a.Request.Kind == Completions {
		return map[string]any{"index": 0, "text": "", "logprobs": nil, "finish_reason": "stop"}
	}
	return delta(map[string]any{}, "stop")
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
	message := a.message([]any{}, nil)
	finish := map[string]any{"type": "message_delta", "delta": map[string]any{"stop_reason": "end_turn", "stop_sequence": nil}}
	if a.Behaviour.Usage != behaviour.UsageAbsent {
		message["usage"], finish["usage"] = start, final
	}
	block := map[string]any{"type": "content_block_start", "index": 0, "content_block": map[string]any{"type": "text", "text": ""}}
	for _, data := range []map[string]any{{"type": "message_start", "message": message}, block, {"type": "ping"}} {
		if !yield(typed(data)) {
			return
		}
	}
	for _, piece := range a.Pieces {
		d := typed(map[string]any{
			"type": "content_block_delta", "index": 0, "delta": map[string]any{"type": "text_delta", "text": piece},
		})
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
		d.content = kind == "response.output_text.delta"
		d.last = kind == "response.completed"
		d.usage = d.last && a.TellsUsage()
		return yield(d)
	}
	item := func(extra map[string]any) map[string]any {
		extra["output_index"], extra["item_id"], extra["content_index"] = 0, "msg_"+a.ID, 0
		return extra
	}
	text := a.Text()
	begun := a.response("in_progress", []any{})
	if !send("response.created", map[string]any{"response": begun}) ||
		!send("response.in_progress", map[string]any{"response": begun}) ||
		!send("response.output_item.added", map[string]any{"output_index": 0, "item": a.outputItem("in_progress", "")}) ||
		!send("response.content_part.added", item(map[string]any{"part": outputText("")})) {
		return
	}
	for _, piece := range a.Pieces {
		if !send("response.output_text.delta", item(map[string]any{"delta": piece})) {
			return
		}
	}
	_ = send("response.output_text.done", item(map[string]any{"text": text})) &&
		send("response.content_part.done", item(map[string]any{"part": outputText(text)})) &&
		send("response.output_item.done", map[string]any{"output_index": 0, "item": a.outputItem("completed", text)}) &&
		send("response.completed", map[string]any{"response": a.withUsage(a.body(text))})
}
