// SPDX-License-Identifier: Apache-2.0

package jsonscan

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	Invalid Kind = iota
	Null
	True
	False
	Number
	String
	Object
	Array
)

// MaxRaw is the number of bytes that Value.Raw holds at most.
const MaxRaw = 4096

// Node is a place in a document that a caller wants to hear about. A tree of
// nodes is read only and may be shared by any number of scanners.
type Node struct {
	// Key is the key in the object above, unescaped.
	Key string
	// ID is what Value.ID holds for this place; 0: report nothing.
	ID int
	// Fold also reports keys that are not Key and that some JSON library may
	// take for it: in another case, with bytes that are no UTF-8, with a NUL at
	// the end. Such Values have Folded set.
	Fold bool
	// Sized reports scalars without Value.Raw: who wants to know how long a text
	// is does not pay for a copy of it.
	Sized bool
	// Children are the keys to look for when the value is an object.
	Children []*Node
	// Each, when the value is an array, is the place of every element; its
	// Key is not used.
	Each *Node
}

// Value is what is known of one value when it ends.
type Value struct {
	// ID is that of the Node.
	ID int
	// Kind tells what the value is.
	Kind Kind
	// Folded is set when the key only looks like Node.Key.
	Folded bool
	// Empty is set for an object or array without members.
	Empty bool
	// Truncated is set when the scalar is longer than MaxRaw; Raw is then its
	// beginning.
	Truncated bool
	// Start is the offset of the value's first byte, End of the first byte
	// after it.
	Start, End int64
	// Raw is a scalar as written, quotes included; empty for objects and
	// arrays, and where Node.Sized is set. It is valid during the call only.
	Raw []byte
}

// Visitor hears of values. Members are reported before the object or array
// that holds them.
type Visitor interface {
	Visit(v Value)
}

// Text is the unescaped content of a string; ok is false for another kind, or
// when the string is truncated.
func (v Value) Text() (text string, ok bool) {
	if v.Kind != String || v.Truncated || len(v.Raw) < 2 {
		return "", false
	}
	return Unquote(v.Raw[1 : len(v.Raw)-1]), true
}

// Int is the value of a number that is a whole one, written in any way, from
// 0 to 2^60; ok is false otherwise.
func (v Value) Int() (n int64, ok bool) {
	if v.Kind != Number || v.Truncated {
		return 0, false
	}
	return parseCount(v.Raw)
}
