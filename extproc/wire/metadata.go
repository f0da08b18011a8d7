// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fact is one field of metadata.
type Fact struct {
	name   string
	id     protowire.Number // of its Value
	text   string
	number float64
	truth  bool
}

// Text is a fact that is a text.
func Text(name, text string) Fact { return Fact{name: name, id: valueString, text: text} }

// Number is a fact that is a number.
func Number(name string, number int64) Fact {
	return Fact{name: name, id: valueNumber, number: float64(number)}
}

// Truth is a fact that is true or false.
func Truth(name string, truth bool) Fact { return Fact{name: name, id: valueBool, truth: truth} }

// appendMetadata writes a Struct with a Struct of the facts in a field of that
// namespace.
func appendMetadata(b []byte, namespace string, facts []Fact) []byte {
	return appendMessage(b, structFields, func(b []byte) []byte {
		b = appendText(b, entryKey, namespace)
		return appendMessage(b, entryValue, func(b []byte) []byte {
			return appendMessage(b, valueStruct, func(b []byte) []byte {
				for i := range facts {
					b = facts[i].append(b)
				}
				return b
			})
		})
	})
}

// append writes an entry of Struct.fields.
func (f *Fact) append(b []byte) []byte {
	return appendMessage(b, structFields, func(b []byte) []byte {
		b = appendText(b, entryKey, f.name)
		return appendMessage(b, entryValue, func(b []byte) []byte {
			switch f.id {
			case valueNumber:
				return protowire.AppendFixed64(protowire.AppendTag(b, f.id, protowire.Fixed64Type), math.Float64bits(f.number))
			case valueBool:
				return appendNumber(b, f.id, protowire.EncodeBool(f.truth))
			default:
				return appendText(b, f.id, f.text)
			}
		})
	})
}
