// SPDX-License-Identifier: Apache-2.0

package server

import (
	"slices"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
	"github.com/tars-operator/tars-operator/extproc/usage"
)

const (
	idRoot = iota + 1
	idModel
	idStream
	idOptions
	idInclude
	idPrompt
	idTools
	idOther
	idOthers   // what may hold several, or one
	idFallback // what is tried where a model fails
	idFallbackModel
	idPerhaps // a model where it is a string
	idSource
	idSourceType
	idSourceData
)

// requestPlaces are the fields of a request's body that we read. What only looks
// like one of those that decide is found too: some JSON libraries would take it.
var requestPlaces = &jsonscan.Node{ID: idRoot, Children: append([]*jsonscan.Node{
	{Key: "model", ID: idModel, Fold: true},
	{Key: "stream", ID: idStream, Fold: true},
	{Key: "stream_options", ID: idOptions, Fold: true, Children: []*jsonscan.Node{{Key: "include_usage", ID: idInclude, Fold: true}}},
}, slices.Concat(otherPlaces(), promptPlaces())...)}

// bodyFields is what a request's body says. JSON libraries differ in which of
// two equal keys counts, so that each field is refused when it comes twice.
type bodyFields struct {
	root       jsonscan.Value
	models     int
	modelExact bool
	ambiguous  string // a field that comes twice, or only looks like itself
	model      jsonscan.Value
	name       string // the model's text, empty when it is no string
	streams    int
	stream     jsonscan.Kind
	options    jsonscan.Value
	include    jsonscan.Value
	pending    jsonscan.Value // include_usage of the options that are open
	others     []otherName
	manyOthers bool
	unclear    bool // it may name models in a way that we do not know
	fallback   bool // the fallback that is open has named its model
	source     source
	prompt     usage.Text
}

// source is where Anthropic's documents and images have their content.
type source struct {
	text bool // and no other media
	data jsonscan.Value
}

// Visit implements jsonscan.Visitor.
func (f *bodyFields) Visit(v jsonscan.Value) {
	name := ""
	switch v.ID {
	case idModel, idOther, idFallback, idFallbackModel, idOthers, idPerhaps, idSourceType:
		if name, _ = v.Text(); !usage.CleanName(name) {
			name = "" // it is refused, and may be long
		}
	}
	v.Raw = nil
	f.refuse(v)
	switch v.ID {
	case idRoot:
		f.root = v
	case idModel:
		f.models++
		f.modelExact = !v.Folded
		f.model, f.name = v, name
	case idStream:
		f.stream = v.Kind
	case idInclude:
		f.pending = v
	case idOptions:
		f.options, f.include = v, f.pending
		f.pending = jsonscan.Value{}
	case idPrompt:
		f.prompt.Add(v)
	case idTools:
		f.prompt.AddRaw(v)
	case idOther, idOthers, idFallback, idFallbackModel, idPerhaps:
		f.addOther(v, name)
	case idSourceType:
		f.source.text = name == "text"
	case idSourceData:
		f.source.data = v
	case idSource:
		if f.source.text {
			f.prompt.Add(f.source.data)
		}
		f.source = source{}
	}
}

// refuse notes a field of a stream that is not the only one of its name.
func (f *bodyFields) refuse(v jsonscan.Value) {
	name, twice := "", false
	switch v.ID {
	case idStream:
		name, twice = "stream", f.streams > 0
		f.streams++
	case idInclude:
		name, twice = "stream_options.include_usage", f.pending.Kind != jsonscan.Invalid
	case idOptions:
		name, twice = "stream_options", f.options.Kind != jsonscan.Invalid
	}
	if name != "" && (twice || v.Folded) {
		f.ambiguous = name
	}
}

// noBoolean is a field of a stream that is neither true nor false, empty for none: what
// TARS takes it for, and so whether it tells its usage, is not to be known. Some servers
// take "true" and 1 for true.
func (f *bodyFields) noBoolean() string {
	switch {
	case !isBoolean(f.stream):
		return "stream"
	case f.stream == jsonscan.True && !isBoolean(f.include.Kind):
		return "stream_options.include_usage"
	default:
		return ""
	}
}

// isBoolean is also true for null and for what is not there, which stand for the default.
func isBoolean(k jsonscan.Kind) bool {
	return k == jsonscan.Invalid || k == jsonscan.Null || k == jsonscan.True || k == jsonscan.False
}

const includeUsage = `"include_usage":true`

// addUsage returns what to put into the body of a streamed request, so that
// TARS tells its usage; ok is false when nothing is to be done.
func (f *bodyFields) addUsage() (add splicing, ok bool) {
	if f.stream != jsonscan.True {
		return splicing{}, false
	}
	object := "{" + includeUsage + "}"
	switch f.options.Kind {
	case jsonscan.Invalid: // none: the last member of the body
		at := f.root.End - 1
		return splicing{at, at, []byte(`,"stream_options":` + object)}, true
	case jsonscan.Null:
		return splicing{f.options.Start, f.options.End, []byte(object)}, true
	case jsonscan.Object:
		return f.addToOptions()
	default:
		return splicing{}, false // TARS explains what is wrong with it
	}
}

func (f *bodyFields) addToOptions() (add splicing, ok bool) {
	switch f.include.Kind {
	case jsonscan.Invalid:
		text := includeUsage + ","
		if f.options.Empty {
			text = includeUsage
		}
		at := f.options.Start + 1
		return splicing{at, at, []byte(text)}, true
	case jsonscan.Null, jsonscan.False:
		return splicing{f.include.Start, f.include.End, []byte("true")}, true
	default:
		return splicing{}, false
	}
}
