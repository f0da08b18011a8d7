// SPDX-License-Identifier: Apache-2.0

package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

// FuzzScanner holds validity, every top-level model and independence of cuts
// against encoding/json.
func FuzzScanner(f *testing.F) {
	for _, doc := range validity {
		f.Add([]byte(doc), uint64(1))
	}
	for _, doc := range []string{
		`{"model":"a","stream_options":{"include_usage":true},"data":[{"id":1}]}`,
		`{"\u006dodel":"a","model":"b","MODEL":"c","mod\u00e9l":1,"model\u0000":2}`, "{\"mod\xffel\":1,\"model\":\"\xff\"}",
		`{"a":{"model":"x"},"model":{"model":"y"},"b":[{"model":"z"}]}`, `{"model` + strings.Repeat(`\u200b`, 100) + `":1}`,
	} {
		f.Add([]byte(doc), uint64(3))
	}
	f.Fuzz(func(t *testing.T, doc []byte, seed uint64) {
		whole, err := scan(doc)
		if valid := json.Valid(doc); valid != (err == nil) {
			t.Fatalf("encoding/json says %v, the scanner %v", valid, err)
		}
		for _, pieces := range cuts(doc, seed) {
			cut, cutErr := scan(pieces...)
			if !slices.Equal(whole, cut) || (err == nil) != (cutErr == nil) {
				t.Fatalf("in %q: %v, %v\nin one: %v, %v", pieces, cut, cutErr, whole, err)
			}
		}
		if err == nil {
			if lenient, lenientErr := scanLenient(doc); lenientErr != nil || !slices.Equal(whole, lenient) {
				t.Fatalf("%q: lenient %v, %v, want %v", doc, lenient, lenientErr, whole)
			}
			sameModels(t, doc)
		}
	})
}

// cuts are some ways to cut a document: at random, and where it is short,
// anywhere once.
func cuts(doc []byte, seed uint64) (all [][][]byte) {
	rng := rand.New(rand.NewPCG(seed, 0))
	var pieces [][]byte
	for rest := doc; len(rest) > 0; {
		n := min(1+rng.IntN(9), len(rest))
		pieces, rest = append(pieces, rest[:n]), rest[n:]
	}
	all = append(all, pieces)
	for i := range min(len(doc), 50) {
		all = append(all, [][]byte{doc[:i], doc[i:]})
	}
	return all
}

// sameModels compares what is written under each top-level "model", and that
// every key which encoding/json takes for it is reported.
func sameModels(t *testing.T, doc []byte) {
	t.Helper()
	var want, got []string
	wantFolded, gotFolded := 0, 0
	decoder := json.NewDecoder(bytes.NewReader(doc))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		switch {
		case key == "model":
			want = append(want, string(value))
		case strings.EqualFold(key.(string), "model"):
			wantFolded++
		}
	}
	s := jsonscan.New(places, visitorFunc(func(v jsonscan.Value) {
		switch {
		case v.ID == idModel && v.Folded:
			gotFolded++
		case v.ID == idModel:
			got = append(got, string(doc[v.Start:v.End]))
		}
	}))
	if err := s.Write(doc); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) || gotFolded < wantFolded {
		t.Fatalf("%q: models %q and %d that look like one, want %q and %d", doc, got, gotFolded, want, wantFolded)
	}
}

// FuzzUnquote holds Unquote against encoding/json.
func FuzzUnquote(f *testing.F) {
	for _, text := range []string{`a`, `\u0041`, `\ud83d\ude00`, `\ud800`, `\ud800\u0041`, `\udc00\ud800`, `\"\\\/\b\f\n\r\t`, "\xff\xfe", `\ud83d\`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		quoted := append(append([]byte{'"'}, raw...), '"')
		var want string
		if json.Unmarshal(quoted, &want) != nil {
			return
		}
		if got := jsonscan.Unquote(raw); got != want {
			t.Fatalf("%q: got %q, want %q", raw, got, want)
		}
	})
}
