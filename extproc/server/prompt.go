// SPDX-License-Identifier: Apache-2.0

package server

import "github.com/tars-operator/tars-operator/extproc/jsonscan"

// promptLevels is how deep text is below a field of a request:
// messages[].content[].content[].text of a tool's result.
const promptLevels = 6

// promptPlaces are where a request has what a model reads, in all APIs. Images
// and other media are not among them: their bytes say nothing of their tokens.
func promptPlaces() []*jsonscan.Node {
	each, fields := textBelow(promptLevels)
	place := func(key string) *jsonscan.Node {
		return &jsonscan.Node{Key: key, ID: idPrompt, Fold: true, Sized: true, Each: each, Children: fields}
	}
	return []*jsonscan.Node{
		place("messages"), place("system"), place("prompt"), place("input"), place("instructions"),
		raw("functions"), raw("response_format"),
	}
}

// raw is a place that a model reads as it is written.
func raw(key string) *jsonscan.Node { return &jsonscan.Node{Key: key, ID: idTools, Sized: true} }

// textBelow is what a place of text may hold so many levels deep: elements and
// fields that are text or hold it.
func textBelow(levels int) (each *jsonscan.Node, fields []*jsonscan.Node) {
	if levels == 0 {
		return nil, nil
	}
	below, fieldsBelow := textBelow(levels - 1)
	place := func(key string) *jsonscan.Node {
		return &jsonscan.Node{Key: key, ID: idPrompt, Fold: true, Sized: true, Each: below, Children: fieldsBelow}
	}
	for _, key := range []string{"content", "text", "output", "thinking", "tool_calls", "function", "arguments"} {
		fields = append(fields, place(key))
	}
	// Of Anthropic's messages: what a tool was called with, and documents.
	fields = append(fields, raw("input"), &jsonscan.Node{Key: "source", ID: idSource, Children: []*jsonscan.Node{
		{Key: "type", ID: idSourceType}, {Key: "data", ID: idSourceData, Sized: true}, place("content"),
	}})
	return place(""), append(fields, toolsBelow()...)
}
