// SPDX-License-Identifier: Apache-2.0

package jsonscan_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/tars-operator/tars-operator/extproc/jsonscan"
)

// FuzzScanner holds validity, the model's value and independence of cuts
// against encoding/json.
func FuzzScanner(f *testing.F) {
	for _, doc := range validity {
		f.Add([]byte(doc), 1)
	}
	f.Add([]byte(`{"model":"a","stream_options":{"include_usage":true},"data":[{"id":1}]}`), 3)
	f.Fuzz(func(t *testing.T, doc []byte, size int) {
		whole, err := scan(doc, 0)
		if valid := json.Valid(doc); valid != (err == nil) {
			t.Fatalf("encoding/json says %v, the scanner %v", valid, err)
		}
		size = 1 + abs(size)%16
		cut, cutErr := scan(doc, size)
		if !slices.Equal(whole, cut) || (err == nil) != (cutErr == nil) {
			t.Fatalf("in pieces of %d: %v, %v\nin one: %v, %v", size, cut, cutErr, whole, err)
		}
		if err == nil {
			sameModel(t, doc)
		}
	})
}

func sameModel(t *testing.T, doc []byte) {
	t.Helper()
	var fields map[string]json.RawMessage
	if json.Unmarshal(doc, &fields) != nil {
		return
	}
	var want string
	if json.Unmarshal(fields["model"], &want) != nil || want == "" {
		return
	}
	var got string
	s := jsonscan.New(places, visitorFunc(func(v jsonscan.Value) {
		if v.ID == idModel && !v.Folded {
			got, _ = v.Text()
			if v.Truncated {
				got = want
			}
		}
	}))
	if err := s.Write(doc); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("the model is %q to encoding/json, %q to the scanner", want, got)
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

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}
