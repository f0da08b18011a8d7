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
// own: instead, where the first one fails (OpenRouter's models, Anthropic's fallbacks), and
// for a tool (Anthropic's advisor, image_generation of OpenAI's responses). Tools are read by
// the model, too.
func otherPlaces() []*jsonscan.Node {
	named := []*jsonscan.Node{{Key: "model", ID: idOther, Fold: true}}
	return []*jsonscan.Node{
		{Key: "models", ID: idOther, Fold: true, Each: &jsonscan.Node{ID: idOther}},
		{Key: "fallbacks", ID: idOther, Fold: true, Each: &jsonscan.Node{ID: idOther, Children: named}},
		{Key: "tools", ID: idTools, Fold: true, Sized: true, Each: &jsonscan.Node{Children: named}},
	}
}

// addOther takes a model that is named beside the request's own.
func (f *bodyFields) addOther(v jsonscan.Value, name string) {
	switch {
	case v.Kind != jsonscan.String: // none, or what holds them
	case len(f.others) == maxOthers:
		f.manyOthers = true
	default:
		f.others = append(f.others, otherName{v.Start, v.End, name})
	}
}

// others applies the policy to the models that a request names beside its own.
func (s *session) others(f *bodyFields) ([]splicing, *apierror.Error) {
	if !s.route.models.Restricted() {
		return nil, nil
	}
	if f.manyOthers {
		return nil, apierror.TooManyModels(maxOthers)
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
