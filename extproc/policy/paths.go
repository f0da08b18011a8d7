// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Kind is how a path is treated.
type Kind uint8

const (
	// Unlisted is any path that is none of the others.
	Unlisted Kind = iota
	// Inference runs a model that the body names.
	Inference
	// ModelList is GET /v1/models.
	ModelList
	// ModelInfo is GET /v1/models/{id}.
	ModelInfo
	// Disguised is a way of writing another path that a server behind us
	// might read as one of the above. It is never served: it would get round
	// the policy of the path it stands for.
	Disguised
)

// Shape is the API whose errors a caller can read.
type Shape uint8

const (
	// OpenAI is the shape of everything but messages.
	OpenAI Shape = iota
	// Anthropic is the shape of /v1/messages and what is below it.
	Anthropic
)

// Operation is an inference path.
type Operation struct {
	// Path is the path after the prefix.
	Path string
	// Name is OpenTelemetry's gen_ai.operation.name.
	Name string
	// Shape is that of the errors.
	Shape Shape
	// StreamUsage tells that a stream carries usage only when
	// stream_options.include_usage asks for it.
	StreamUsage bool
	// InputOnly tells that the model writes nothing that costs tokens.
	InputOnly bool
}

const modelsPath = "/v1/models"

var operations = map[string]*Operation{
	"/v1/chat/completions": {Path: "/v1/chat/completions", Name: "chat", StreamUsage: true},
	"/v1/completions":      {Path: "/v1/completions", Name: "text_completion", StreamUsage: true},
	"/v1/responses":        {Path: "/v1/responses", Name: "chat"},
	"/v1/messages":         {Path: "/v1/messages", Name: "chat", Shape: Anthropic},
	"/v1/embeddings":       {Path: "/v1/embeddings", Name: "embeddings", InputOnly: true},
}

// InferencePaths are the paths that ask a model, in order.
func InferencePaths() []string { return slices.Sorted(maps.Keys(operations)) }

// ServedPaths names what every route serves, for messages.
const ServedPaths = "/v1/chat/completions, /v1/completions, /v1/responses, /v1/messages, /v1/embeddings and /v1/models"

// Target is what a request's path means.
type Target struct {
	// Kind is how the path is treated.
	Kind Kind
	// Operation is set for Inference.
	Operation *Operation
	// Model is the unescaped id of ModelInfo.
	Model string
	// Shape is that of the errors.
	Shape Shape
	// Label is the path as a label of metrics, one of few.
	Label string
}

// Classify reads the path of a request, without its query, of a route with
// the given prefix ("/" or "/llm"). Matching is exact: Envoy has normalised
// the path, and what it did not touch is either exactly a served path or not
// one.
func Classify(prefix, rawPath string) Target {
	rest, ok := strings.CutPrefix(rawPath, strings.TrimSuffix(prefix, "/"))
	if !ok {
		return Target{Kind: Disguised, Label: "other"}
	}
	t := Target{Label: "other", Shape: shapeOf(rest)}
	switch op, id := operations[rest], strings.TrimPrefix(rest, modelsPath+"/"); {
	case op != nil:
		t.Kind, t.Operation, t.Label, t.Shape = Inference, op, op.Path, op.Shape
	case rest == modelsPath:
		t.Kind, t.Label = ModelList, modelsPath
	case id != rest && id != "" && !suspicious(id):
		t.Kind, t.Label = ModelInfo, modelsPath+"/{id}"
		t.Model, _ = decode(id)
	case disguised(rest):
		t.Kind = Disguised
	}
	return t
}

func shapeOf(rest string) Shape {
	if rest == "/v1/messages" || strings.HasPrefix(rest, "/v1/messages/") {
		return Anthropic
	}
	return OpenAI
}

// suspicious tells of a model id that a server might read as a way to
// another path.
func suspicious(id string) bool {
	plain, clean := decode(id)
	return !clean || strings.ContainsAny(plain, "\\;?# ") || path.Clean("/"+plain) != "/"+plain
}

// decode undoes percent encoding until nothing is left of it; clean is false
// when the text is not properly encoded or hides control characters.
func decode(text string) (plain string, clean bool) {
	for range 4 {
		next, err := url.PathUnescape(text)
		if err != nil {
			return text, false
		}
		if next == text {
			return text, strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
		}
		text = next
	}
	return text, false
}

// disguised tells whether a lenient server might read the path as one that
// has a policy, or as one outside of /v1.
func disguised(rest string) bool {
	plain, clean := decode(rest)
	if !clean || strings.Contains(plain, "\\") {
		return true
	}
	segments := strings.Split(plain, "/")
	for i, segment := range segments {
		segment, _, _ = strings.Cut(segment, ";")
		if segment == "." || segment == ".." {
			return true
		}
		segments[i] = segment
	}
	plain, _, _ = strings.Cut(strings.Join(segments, "/"), "#")
	plain, _, _ = strings.Cut(plain, "?")
	plain = strings.ToLower(path.Clean(strings.ReplaceAll(plain, " ", "")))
	return operations[plain] != nil || plain == modelsPath || strings.HasPrefix(plain, modelsPath+"/") ||
		!strings.HasPrefix(plain, "/v1/") && plain != "/v1"
}
