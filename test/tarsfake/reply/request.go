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
}

// Bounds of embeddings: 0 dimensions mean defaultDimensions.
const (
	defaultDimensions = 8
	maxDimensions     = 4096
)

type document struct {
	Model         string `json:"model"`
	Stream        bool   `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Messages       []message `json:"messages"`
	Prompt         texts     `json:"prompt"`
	Input          input     `json:"input"`
	EncodingFormat string    `json:"encoding_format"`
	Dimensions     int       `json:"dimensions"`
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// content is a text, or parts of which some are texts.
type content string

func (c *content) UnmarshalJSON(data []byte) error {
	var whole string
	if json.Unmarshal(data, &whole) == nil {
		*c = content(whole)
		return nil
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return fmt.Errorf("content is neither a text nor a list of parts: %w", err)
	}
	var all strings.Builder
	for _, part := range parts {
		all.WriteString(part.Text)
	}
	*c = content(all.String())
	return nil
}

// texts is a text or a list of them.
type texts []string

func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// input is what texts is, or a list of messages, as /v1/responses takes it.
type input struct {
	texts    texts
	messages []message
}

func (i *input) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &i.texts) == nil {
		return nil
	}
	i.texts = nil
	return json.Unmarshal(data, &i.messages)
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
		Inputs: len(d.Input.texts), Base64: d.EncodingFormat == "base64", Dimensions: d.Dimensions,
	}
	if r.Dimensions == 0 {
		r.Dimensions = defaultDimensions
	}
	prompt, err := d.prompt(kind)
	r.Prompt = prompt
	return r, err
}

// prompt is the text that an answer proves to have read.
func (d document) prompt(kind Kind) (string, error) {
	switch kind {
	case Chat, Messages:
		return lastOfUser(d.Messages, "messages")
	case Completions:
		return last(d.Prompt, "prompt")
	case Responses:
		if len(d.Input.messages) > 0 {
			return lastOfUser(d.Input.messages, "input")
		}
		return last(d.Input.texts, "input")
	case Embeddings:
		return last(d.Input.texts, "input")
	default:
		return "", fmt.Errorf("no prompt is known at %s", kind)
	}
}

func last(texts []string, field string) (string, error) {
	if len(texts) == 0 {
		return "", fmt.Errorf("%s is required", field)
	}
	return texts[len(texts)-1], nil
}

func lastOfUser(messages []message, field string) (string, error) {
	if len(messages) == 0 {
		return "", fmt.Errorf("%s is required", field)
	}
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Role == "user" {
			return string(messages[i].Content), nil
		}
	}
	return "", nil
}
