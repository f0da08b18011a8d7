// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/structpb"
)

// Fields of metadata.
const (
	responseMetadata protowire.Number = 8 // ProcessingResponse.dynamic_metadata
	structFields     protowire.Number = 1 // Struct.fields
	entryKey         protowire.Number = 1 // of a map
	entryValue       protowire.Number = 2 // of a map
	valueNumber      protowire.Number = 2 // Value.number_value
	valueString      protowire.Number = 3 // Value.string_value
	valueBool        protowire.Number = 4 // Value.bool_value
	valueStruct      protowire.Number = 5 // Value.struct_value
)

// sizeStruct is the length of a Struct; ok is false where it holds a value that our
// metadata does not: package proto is for that.
func sizeStruct(s *structpb.Struct) (size int, ok bool) {
	for name, v := range s.GetFields() {
		entry, ok := sizeEntry(name, v)
		if !ok {
			return 0, false
		}
		size += protowire.SizeTag(structFields) + protowire.SizeBytes(entry)
	}
	return size, true
}

func sizeEntry(name string, v *structpb.Value) (size int, ok bool) {
	value, ok := sizeValue(v)
	return protowire.SizeTag(entryKey) + protowire.SizeBytes(len(name)) +
		protowire.SizeTag(entryValue) + protowire.SizeBytes(value), ok
}

func sizeValue(v *structpb.Value) (size int, ok bool) {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_NumberValue:
		return protowire.SizeTag(valueNumber) + protowire.SizeFixed64(), true
	case *structpb.Value_StringValue:
		return protowire.SizeTag(valueString) + protowire.SizeBytes(len(kind.StringValue)), true
	case *structpb.Value_BoolValue:
		return protowire.SizeTag(valueBool) + protowire.SizeVarint(protowire.EncodeBool(kind.BoolValue)), true
	case *structpb.Value_StructValue:
		inner, ok := sizeStruct(kind.StructValue)
		return protowire.SizeTag(valueStruct) + protowire.SizeBytes(inner), ok
	default:
		return 0, false
	}
}

// appendStruct writes a Struct of which sizeStruct knows the length. Package proto
// would read its maps by reflection.
func appendStruct(b []byte, s *structpb.Struct) []byte {
	for name, v := range s.GetFields() {
		entry, _ := sizeEntry(name, v)
		b = appendLength(b, structFields, entry)
		b = protowire.AppendString(protowire.AppendTag(b, entryKey, protowire.BytesType), name)
		value, _ := sizeValue(v)
		b = appendValue(appendLength(b, entryValue, value), v)
	}
	return b
}

func appendValue(b []byte, v *structpb.Value) []byte {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_NumberValue:
		return protowire.AppendFixed64(protowire.AppendTag(b, valueNumber, protowire.Fixed64Type), math.Float64bits(kind.NumberValue))
	case *structpb.Value_StringValue:
		return protowire.AppendString(protowire.AppendTag(b, valueString, protowire.BytesType), kind.StringValue)
	case *structpb.Value_BoolValue:
		return protowire.AppendVarint(protowire.AppendTag(b, valueBool, protowire.VarintType), protowire.EncodeBool(kind.BoolValue))
	case *structpb.Value_StructValue:
		inner, _ := sizeStruct(kind.StructValue)
		return appendStruct(appendLength(b, valueStruct, inner), kind.StructValue)
	default:
		return b
	}
}
