// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/tars-operator/tars-operator/extproc/apierror"
	"github.com/tars-operator/tars-operator/extproc/jsonscan"
	"github.com/tars-operator/tars-operator/extproc/usage"
)

// maxOthers is how many models beside its own a request may name: more than any API takes.
const maxOthers = 64

// otherName is a model that a request names beside its own.
type otherName struct {
	start, end int64
	name       string
}

// otherPlaces are where a request names models that the provider runs for it, beside its
// own: instead, where the first one fails (OpenRouter's models, Anthropic's fallbacks), to
// judge what is said (OpenAI's moderation), and for a tool. Those of OpenAI's SDK 3.54 and
// Anthropic's 2.12; test/sdk finds what newer ones add.
func otherPlaces() []*jsonscan.Node {
	fallback := &jsonscan.Node{ID: idFallback, Children: []*jsonscan.Node{{Key: "model", ID: idFallbackModel, Fold: true}}}
	return []*jsonscan.Node{
		{Key: "models", ID: idOthers, Fold: true, Each: &jsonscan.Node{ID: idOther}},
		{Key: "fallbacks", ID: idOthers, Fold: true, Each: fallback},
		{Key: "plugins", Fold: true, Each: &jsonscan.Node{Children: perhapsModel}},
		{Key: "moderation", Fold: true, Children: []*jsonscan.Node{otherModel}},
		toolsPlace,
	}
}

// otherModel is the model of an object.
var otherModel = &jsonscan.Node{Key: "model", ID: idOther, Fold: true}

// toolFields are what names the model of a tool: Anthropic's advisor, image_generation of OpenAI's
// responses and the author of its vector graphics.
var toolFields = []*jsonscan.Node{
	otherModel, {Key: "svg", Fold: true, Children: []*jsonscan.Node{otherModel}}, {Key: "parameters", Fold: true, Children: perhapsModel},
}

// perhapsModel is a model where OpenRouter has it, among the parameters of its tools and in its
// plugins. The parameters of an app's own tool may have anything under that name.
var perhapsModel = []*jsonscan.Node{{Key: "model", ID: idPerhaps, Fold: true}}

// toolsPlace is where the tools are. The model reads them, too.
var toolsPlace = &jsonscan.Node{
	Key: "tools", ID: idTools, Fold: true, Sized: true, Children: toolFields, Each: &jsonscan.Node{Children: toolFields},
}

// toolsBelow are the tools that come in the course of a conversation: among the input of
// OpenAI's responses (additional_tools, tool_search_output), and in the content of Anthropic's
// messages.
func toolsBelow() []*jsonscan.Node {
	change := &jsonscan.Node{Key: "tool", Fold: true, Children: []*jsonscan.Node{
		{Key: "definition", ID: idTools, Fold: true, Sized: true, Children: toolFields},
	}}
	return []*jsonscan.Node{
		toolsPlace, change,
		{Key: "tool_changes", Fold: true, Each: &jsonscan.Node{Children: []*jsonscan.Node{change}}},
	}
}

// addOther takes a model that is named beside the request's own, and what holds some.
func (f *bodyFields) addOther(v jsonscan.Value, name string) {
	switch {
	case v.Kind == jsonscan.String && len(f.others) == maxOthers:
		f.manyOthers = true
	case v.Kind == jsonscan.String:
		f.others = append(f.others, otherName{v.Start, v.End, name})
		f.fallback = f.fallback || v.ID == idFallbackModel
	case v.Kind == jsonscan.Null, v.ID == idPerhaps, v.Kind == jsonscan.Array && v.ID == idOthers:
	case v.Kind == jsonscan.Object && v.ID == idFallback:
		f.unclear = f.unclear || !f.fallback
		f.fallback = false
	default:
		f.unclear = true
	}
}

// others applies the policy to the models that a request names beside its own.
func (s *session) others(f *bodyFields) ([]splicing, *apierror.Error) {
	if !s.route.models.Restricted() {
		return nil, nil
	}
	switch {
	case f.manyOthers:
		return nil, apierror.TooManyModels(maxOthers)
	case f.unclear && s.route.models.Limited():
		return nil, apierror.UnclearModels()
	}
	var splices []splicing
	for _, other := range f.others {
		model, ok := s.route.models.Resolve(other.name)
		switch {
		case !usage.CleanName(other.name):
			return nil, apierror.InvalidModel()
		case !ok:
			return nil, apierror.ModelNotFound(other.name, s.route.models.Allowed())
		case model != other.name:
			splices = append(splices, splicing{other.start, other.end, jsonscan.Quote(model)})
		}
	}
	return splices, nil
}
