// SPDX-License-Identifier: Apache-2.0

package jsonscan_test

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

const (
	idRoot = iota + 1
	idModel
	idOptions
	idInclude
	idData
	idElem
	idElemID
	idLetters
)

var kinds = []string{"invalid", "null", "true", "false", "number", "string", "object", "array"}

// places is a tree with every feature: folding, nesting, arrays.
var places = &jsonscan.Node{ID: idRoot, Children: []*jsonscan.Node{
	{Key: "model", ID: idModel, Fold: true},
	{Key: "az", ID: idLetters, Fold: true},
	{Key: "stream_options", ID: idOptions, Fold: true, Children: []*jsonscan.Node{{Key: "include_usage", ID: idInclude}}},
	{Key: "data", ID: idData, Each: &jsonscan.Node{
		ID: idElem, Children: []*jsonscan.Node{{Key: "id", ID: idElemID}},
	}},
}}

// recorder writes down what it hears, and checks that the offsets are those
// of the document.
type recorder struct {
	doc   []byte
	lines []string
}

func (r *recorder) Visit(v jsonscan.Value) {
	line := fmt.Sprintf("%d %s [%d,%d)", v.ID, kinds[v.Kind], v.Start, v.End)
	if v.Folded {
		line += " folded"
	}
	if v.Empty {
		line += " empty"
	}
	if len(v.Raw) > 0 {
		line += " raw=" + string(v.Raw)
		if !v.Truncated && string(v.Raw) != string(r.doc[v.Start:v.End]) {
			line += " BUT THE DOCUMENT SAYS " + string(r.doc[v.Start:v.End])
		}
	}
	r.lines = append(r.lines, line)
}

// scan feeds a document in pieces.
func scan(pieces ...[]byte) ([]string, error) {
	r := &recorder{doc: bytes.Join(pieces, nil)}
	s := jsonscan.New(places, r)
	for _, piece := range pieces {
		if err := s.Write(piece); err != nil {
			return r.lines, err
		}
	}
	return r.lines, s.Close()
}

// inPieces cuts a document into pieces of the given size, 0 meaning one piece.
func inPieces(doc string, size int) (pieces [][]byte) {
	if size <= 0 {
		return [][]byte{[]byte(doc)}
	}
	for piece := range slices.Chunk([]byte(doc), size) {
		pieces = append(pieces, piece)
	}
	return pieces
}
