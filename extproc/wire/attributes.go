// SPDX-License-Identifier: Apache-2.0

package wire

import "google.golang.org/protobuf/encoding/protowire"

// Fields of a Struct and of maps.
const (
	structFields protowire.Number = 1 // Struct.fields
	entryKey     protowire.Number = 1 // of a map
	entryValue   protowire.Number = 2 // of a map
	valueNumber  protowire.Number = 2 // Value.number_value
	valueString  protowire.Number = 3 // Value.string_value
	valueBool    protowire.Number = 4 // Value.bool_value
	valueStruct  protowire.Number = 5 // Value.struct_value
)

// addAttributes keeps the attributes of one filter.
func (r *Request) addAttributes(entry []byte) {
	if _, group, ok := readEntry(string(entry)); ok {
		r.attributes = append(r.attributes, group)
	}
}

// Attribute is what Envoy tells beside the headers, by the name of the attribute;
// empty where it tells nothing, or no text.
func (r *Request) Attribute(name string) string {
	found := ""
	for _, group := range r.attributes {
		for len(group) > 0 {
			f, after, ok := next(group)
			if !ok {
				break
			}
			if key, value, ok := readEntry(f.bytes); ok && key == name && f.is(structFields, protowire.BytesType) {
				found = readText(value)
			}
			group = after
		}
	}
	return found
}

// readEntry reads an entry of a map with texts as keys.
func readEntry(entry string) (key, value string, ok bool) {
	for len(entry) > 0 {
		f, after, ok := next(entry)
		switch {
		case !ok:
			return "", "", false
		case f.is(entryKey, protowire.BytesType):
			key = f.bytes
		case f.is(entryValue, protowire.BytesType):
			value = f.bytes
		}
		entry = after
	}
	return key, value, true
}

// readText reads a Value that is text.
func readText(value string) string {
	text := ""
	for len(value) > 0 {
		f, after, ok := next(value)
		if !ok {
			return ""
		}
		if text = ""; f.is(valueString, protowire.BytesType) {
			text = f.bytes
		}
		value = after
	}
	return text
}
