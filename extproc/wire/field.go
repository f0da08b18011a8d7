// SPDX-License-Identifier: Apache-2.0

package wire

import "google.golang.org/protobuf/encoding/protowire"

// field is one field of a message: its value is in varint or in bytes, by its wire
// type.
type field struct {
	number protowire.Number
	wire   protowire.Type
	varint uint64 // of Fixed64Type, too
	bytes  []byte
}

// next reads the first field of text and returns what follows it; ok is false where
// there is none.
func next(text []byte) (f field, after []byte, ok bool) {
	var n, m int
	if f.number, f.wire, n = protowire.ConsumeTag(text); n < 0 {
		return f, nil, false
	}
	switch f.wire {
	case protowire.VarintType:
		f.varint, m = protowire.ConsumeVarint(text[n:])
	case protowire.Fixed64Type:
		f.varint, m = protowire.ConsumeFixed64(text[n:])
	case protowire.BytesType:
		f.bytes, m = protowire.ConsumeBytes(text[n:])
	default:
		m = protowire.ConsumeFieldValue(f.number, f.wire, text[n:])
	}
	if m < 0 {
		return f, nil, false
	}
	return f, text[n+m:], true
}
