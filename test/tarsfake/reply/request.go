// SPDX-License-Identifier: Apache-2.0

// Package reply reads requests of the APIs that TARS speaks and makes the
// answers' documents and events. It knows nothing of HTTP.
package reply

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

// Kind is one API.
type Kind string

// The APIs with a model and a price, by their paths.
const (
	Chat        Kind = "/v1/chat/completions"
	Completions Kind = "/v1/completions"
	Responses   Kind = "/v1/responses"
	Messages    Kind = "/v1/messages"
	Embeddings  Kind = "/v1/embeddings"
)

// KindOf tells the API of a path.
func KindOf(path string) (Kind, bool) {
	switch kind := Kind(path); kind {
	case Chat, Completions, Responses, Messages, Embeddings:
		return kind, true
	default:
		return "", false
	}
}

// Shape says which counts of tokens the API's usage has.
func (k Kind) Shape() tokens.Shape {
	return tokens.Shape{
		Output:        k != Embeddings,
		CacheCreation: k == Messages,
		Reasoning:     k == Chat || k == Responses,
	}
}

// Request is what an answer depends on.
type Request struct {
	Kind Kind
	// Model is the one asked for.
	Model string
	// Stream and IncludeUsage are stream and stream_options.include_usage.
	Stream       bool
	IncludeUsage bool
	// Prompt is the text of the last message of the user or, in APIs without
	// messages, of the last input.
	Prompt string
	// Inputs is the number of texts to embed; Base64 asks for embeddings in
	// base64, Dimensions for their length.
	Inputs     int
	Base64     bool
	Dimensions int
	// Tool is the name of the tool that the answer calls, "" for a text.
	Tool string
}

// Bounds of embeddings: 0 dimensions mean defaultDimensions.
const (
	defaultDimensions = 8
	maxDimensions     = 4096
)

// document is a request. What comes in several forms is any: decoding it once
// keeps bodies of many megabytes cheap.
type document struct {
	Model         string `json:"model"`
	Stream        bool   `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Messages       any    `json:"messages"`
	Prompt         any    `json:"prompt"`
	Input          any    `json:"input"`
	Tools          any    `json:"tools"`
	ToolChoice     any    `json:"tool_choice"`
	EncodingFormat string `json:"encoding_format"`
	Dimensions     int    `json:"dimensions"`
}

// Read reads a request's body. Its error's text is the answer's message.
func Read(kind Kind, body []byte) (Request, error) {
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		return Request{}, fmt.Errorf("the body is not a request in JSON: %w", err)
	}
	if d.Model == "" {
		return Request{}, errors.New("model is required")
	}
	if d.Dimensions < 0 || d.Dimensions > maxDimensions {
		return Request{}, fmt.Errorf("dimensions must be from 0 to %d", maxDimensions)
	}
	r := Request{
		Kind: kind, Model: d.Model, Stream: d.Stream && kind != Embeddings, IncludeUsage: d.StreamOptions.IncludeUsage,
		Base64: d.EncodingFormat == "base64", Dimensions: d.Dimensions, Tool: d.tool(kind),
	}
	if r.Dimensions == 0 {
		r.Dimensions = defaultDimensions
	}
	texts, err := d.texts(kind)
	if err != nil {
		return Request{}, err
	}
	r.Inputs = len(texts)
	if len(texts) > 0 {
		r.Prompt = texts[len(texts)-1]
	}
	return r, nil
}

// texts are those of the user, of which an answer proves to have read the
// last.
func (d document) texts(kind Kind) ([]string, error) {
	switch kind {
	case Chat, Messages:
		return ofUser("messages", d.Messages)
	case Completions:
		return plain("prompt", d.Prompt)
	case Responses:
		if list, isList := d.Input.([]any); isList {
			return ofUser("input", list)
		}
		return plain("input", d.Input)
	case Embeddings:
		return plain("input", d.Input)
	default:
		return nil, fmt.Errorf("no texts are known at %s", kind)
	}
}

// plain reads a text or a list of texts.
func plain(field string, value any) ([]string, error) {
	switch value := value.(type) {
	case string:
		return []string{value}, nil
	case []any:
		var texts []string
		for _, item := range value {
			text, isText := item.(string)
			if !isText {
				return nil, fmt.Errorf("%s: an item is not a text", field)
			}
			texts = append(texts, text)
		}
		if len(texts) > 0 {
			return texts, nil
		}
	}
	return nil, fmt.Errorf("%s is required: a text or a list of texts", field)
}

// ofUser reads a list of messages and returns the texts of those of the user.
func ofUser(field string, value any) ([]string, error) {
	list, isList := value.([]any)
	if !isList || len(list) == 0 {
		return nil, fmt.Errorf("%s is required: a list of messages", field)
	}
	var texts []string
	for _, item := range list {
		message, isObject := item.(map[string]any)
		if !isObject {
			return nil, fmt.Errorf("%s: an item is not an object", field)
		}
		if message["role"] != "user" {
			continue
		}
		text, err := textOfContent(message["content"])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// textOfContent joins the texts of a content, which is one or has parts.
func textOfContent(content any) (string, error) {
	switch content := content.(type) {
	case string:
		return content, nil
	case []any:
		var all strings.Builder
		for _, item := range content {
			part, isObject := item.(map[string]any)
			if !isObject {
				return "", errors.New("a part of a content is not an object")
			}
			if text, isText := part["text"].(string); isText {
				all.WriteString(text)
			}
			if part["type"] == "tool_result" && part["content"] != nil {
				text, err := textOfContent(part["content"])
				if err != nil {
					return "", err
				}
				all.WriteString(text)
			}
		}
		return all.String(), nil
	default:
		return "", errors.New("content is neither a text nor a list of parts")
	}
}
