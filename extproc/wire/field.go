// SPDX-License-Identifier: Apache-2.0

package wire

import "google.golang.org/protobuf/encoding/protowire"

// text is what messages are read from: bytes, or a string of which parts may be
// kept without a copy.
type text interface{ ~string | ~[]byte }

// field is one field of a message: its value is in number or in bytes, by its
// wire type.
type field[T text] struct {
	id     protowire.Number
	wire   protowire.Type
	number uint64 // of VarintType; not read for other numbers
	bytes  T      // of BytesType
}

// is tells whether it is that field, of that type.
func (f field[T]) is(id protowire.Number, wire protowire.Type) bool {
	return f.id == id && f.wire == wire
}

// next reads the first field of a message and returns what follows it; ok is false
// where there is none.
func next[T text](message T) (f field[T], after T, ok bool) {
	tag, message, ok := varint(message)
	if !ok || tag>>3 == 0 || tag>>3 > uint64(protowire.MaxValidNumber) {
		return f, message, false
	}
	f.id, f.wire = protowire.Number(tag>>3), protowire.Type(tag&7)
	switch f.wire {
	case protowire.VarintType:
		f.number, message, ok = varint(message)
		return f, message, ok
	case protowire.BytesType:
		size, message, ok := varint(message)
		if !ok || size > uint64(len(message)) {
			return f, message, false
		}
		f.bytes = message[:size]
		return f, message[size:], true
	default: // none that anybody here reads
		n := protowire.ConsumeFieldValue(f.id, f.wire, []byte(message))
		if n < 0 {
			return f, message, false
		}
		return f, message[n:], true
	}
}

// varint reads a number of up to 64 bits.
func varint[T text](message T) (n uint64, after T, ok bool) {
	for i := 0; i < len(message) && i < 10; i++ {
		b := message[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return n, message[i+1:], i < 9 || b < 2
		}
	}
	return 0, message, false
}
