// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/structpb"
)

// requestAttributes is ProcessingRequest.attributes.
const requestAttributes protowire.Number = 9

// readAttributes adds the attributes of a filter to those of others.
func readAttributes(f field, to map[string]*structpb.Struct) (ok bool) {
	filter, group, ok := readEntry(f.bytes)
	if !ok || f.wire != protowire.BytesType {
		return false
	}
	to[filter], ok = readStruct(group)
	return ok
}

// readEntry reads an entry of a map with texts as keys: both of its fields, once.
func readEntry(text []byte) (key string, value []byte, ok bool) {
	k, after, ok := next(text)
	if !ok || k.number != entryKey || k.wire != protowire.BytesType || !utf8.Valid(k.bytes) {
		return "", nil, false
	}
	v, after, ok := next(after)
	if !ok || v.number != entryValue || v.wire != protowire.BytesType || len(after) > 0 {
		return "", nil, false
	}
	return string(k.bytes), v.bytes, true
}

// readStruct reads a Struct of texts, numbers and truths, which is what attributes
// are; ok is false for any other.
func readStruct(text []byte) (_ *structpb.Struct, ok bool) {
	s := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for len(text) > 0 {
		f, after, ok := next(text)
		if !ok || f.number != structFields || f.wire != protowire.BytesType {
			return nil, false
		}
		name, value, ok := readEntry(f.bytes)
		if !ok {
			return nil, false
		}
		if s.Fields[name], ok = readValue(value); !ok {
			return nil, false
		}
		text = after
	}
	return s, true
}

func readValue(text []byte) (_ *structpb.Value, ok bool) {
	f, after, ok := next(text)
	if !ok || len(after) > 0 {
		return nil, false
	}
	switch {
	case f.number == valueString && f.wire == protowire.BytesType && utf8.Valid(f.bytes):
		return structpb.NewStringValue(string(f.bytes)), true
	case f.number == valueNumber && f.wire == protowire.Fixed64Type:
		return structpb.NewNumberValue(math.Float64frombits(f.varint)), true
	case f.number == valueBool && f.wire == protowire.VarintType:
		return structpb.NewBoolValue(protowire.DecodeBool(f.varint)), true
	default:
		return nil, false
	}
}
