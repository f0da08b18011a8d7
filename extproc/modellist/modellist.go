// SPDX-License-Identifier: Apache-2.0

// Package modellist rewrites the answers of GET /v1/models and
// GET /v1/models/{id}, so that apps see the models that they may ask for.
package modellist

import (
	"bytes"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
	"github.com/tars-operator/tars-operator/extproc/policy"
)

const (
	idData = iota + 1
	idElement
	idID
)

func listPlaces() *jsonscan.Node {
	return &jsonscan.Node{Children: []*jsonscan.Node{{Key: "data", ID: idData, Each: &jsonscan.Node{
		ID: idElement, Children: []*jsonscan.Node{{Key: "id", ID: idID}},
	}}}}
}

// span is a part of the body.
type span struct{ start, end int64 }

func (s span) of(body []byte) []byte { return body[s.start:s.end] }

type element struct {
	span
	id   span // of the value of "id"
	name string
}

// list is what a scan finds.
type list struct {
	data     span
	elements []element
	current  element
}

// Visit implements jsonscan.Visitor.
func (l *list) Visit(v jsonscan.Value) {
	switch v.ID {
	case idID:
		l.current.id = span{v.Start, v.End}
		l.current.name, _ = v.Text()
	case idElement:
		l.current.span = span{v.Start, v.End}
		l.elements = append(l.elements, l.current)
		l.current = element{}
	case idData:
		if v.Kind == jsonscan.Array {
			l.data = span{v.Start, v.End}
		}
	}
}

// Narrow removes the models that the policy does not allow from a list of
// models and adds its aliases, as copies of their targets' entries with
// another id. What stays, stays byte for byte. A body that is no list is
// returned unchanged: it may be an error of TARS.
func Narrow(body []byte, models *policy.Models) []byte {
	var l list
	if !scan(body, listPlaces(), &l) || l.data.end == 0 {
		return body
	}
	out := append(make([]byte, 0, len(body)), body[:l.data.start+1]...)
	first := true
	add := func(parts ...[]byte) {
		if !first {
			out = append(out, ',')
		}
		first = false
		for _, part := range parts {
			out = append(out, part...)
		}
	}
	for _, e := range l.elements {
		if e.name == "" || models.Keeps(e.name) {
			add(e.of(body))
		}
		for _, alias := range models.Aliases(e.name) {
			add(body[e.start:e.id.start], jsonscan.Quote(alias), body[e.id.end:e.end])
		}
	}
	return append(out, body[l.data.end-1:]...)
}

// Rename puts another id into the entry of one model. A body without an id is
// returned unchanged.
func Rename(body []byte, name string) []byte {
	var l list
	places := &jsonscan.Node{Children: []*jsonscan.Node{{Key: "id", ID: idID}}}
	if !scan(body, places, &l) || l.current.id.end == 0 {
		return body
	}
	id := l.current.id
	return bytes.Join([][]byte{body[:id.start], jsonscan.Quote(name), body[id.end:]}, nil)
}

func scan(body []byte, places *jsonscan.Node, l *list) bool {
	s := jsonscan.NewLenient(places, l) // as clients read it
	return s.Write(body) == nil && s.Close() == nil
}
