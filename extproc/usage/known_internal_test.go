// SPDX-License-Identifier: Apache-2.0

package usage

import "testing"

// TestDiffering holds where an ending is taken to differ in padding.
func TestDiffering(t *testing.T) {
	for _, of := range []struct{ a, b, want string }{
		{`"},"x":"a"}`, `"},"x":"bc"}`, "bc"},
		{`"},"x":"ab"}`, `"},"x":"abc"}`, "abc"},
		{`"},"x":"abc"}`, `"},"x":"ab"}`, "ab"},
		{`"},"x":"a"}`, `"},"x":""}`, ""},
		{`"},"x":"a"}`, `"},"x":"\"b\\"}`, `\"b\\`},
		{`"},"x":"y","z":["a"]}`, `"},"x":"y","z":["b" ]}`, "b"},
		{`"},"x":"a","y":1}`, `"},"x":"b","y":2}`, "b"},
		{`"},"x":1,"y":"a"}`, `"},"x":2,"y":"b"}`, "2"},
		{`"},"x":1,"y":"a"}`, `"},"x":12,"y":"b"}`, "12"},
		{`"},"x":12,"y":"a"}`, `"},"x":1,"y":"b"}`, "1"},
		{`"},"x":10 }`, `"},"x":12 }`, "12"},
		{`"},"x":[3,1]}`, `"},"x":[3,0]}`, "0"},
		{`"},"x":[1]}`, `"},"x":[12]}`, "12"},
		{`"},"x":-1}`, `"},"x":-2}`, "nowhere"},
		{`"},"x":1.5}`, `"},"x":1.6}`, "nowhere"},
		{`"},"x":1.5}`, `"},"x":2.5}`, "nowhere"},
		{`"},"x":1e5}`, `"},"x":1e6}`, "nowhere"},
		{`"},"x":10}`, `"},"x":01}`, "nowhere"},
		{`"},"x":null}`, `"},"x":12}`, "nowhere"},
		{`"},"x":12}`, `"},"x":null}`, "nowhere"},
		{`"},"x":1`, `"},"x":2`, "nowhere"},
		{`"1`, `"2`, "nowhere"},
		{`"},"x1":1}`, `"},"x2":1}`, "nowhere"},
		{`"},"x":"y"}`, `"},"x":"y"]`, "nowhere"},
		{`"},"x":1}`, `"},"y":1}`, "nowhere"},
		{`"},"x":1}`, `"},"y" : 1}`, "nowhere"},
		{`"},"x":"a"`, `"},"x":"b"`, "nowhere"},
		{`"},"x":"a`, `"},"x":"b`, "nowhere"},
		{`"},"x":"a\u00`, `"},"x":"b\u00`, "nowhere"},
		{`"},"x":"\u00","y":"a"}`, `"},"x":"\u00","y":"b"}`, "nowhere"},
		{`"},"x":"\x1"}`, `"},"x":"\x2"}`, "nowhere"},
		{`"`, `"`, "nowhere"},
		{``, `"},"x":"b"}`, "nowhere"},
		{`"},"x":"b"}`, ``, "nowhere"},
	} {
		got := "nowhere"
		if g := differing([]byte(of.a), []byte(of.b), 1); g.to > 0 {
			got = of.b[g.from:g.to]
		}
		if got != of.want {
			t.Errorf("%s and %s: %s, not %s", of.a, of.b, got, of.want)
		}
	}
}
