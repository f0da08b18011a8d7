// SPDX-License-Identifier: Apache-2.0

package wire

import "google.golang.org/protobuf/encoding/protowire"

// appendMessage writes a field that is a message, which write appends.
func appendMessage(b []byte, id protowire.Number, write func([]byte) []byte) []byte {
	b = append(protowire.AppendTag(b, id, protowire.BytesType), 0)
	begin := len(b)
	b = write(b)
	size := uint64(len(b) - begin) //nolint:gosec // a length
	if size < 1<<7 {
		b[begin-1] = byte(size)
		return b
	}
	// Its length takes more than the byte that was left for it.
	more := protowire.SizeVarint(size) - 1
	b = append(b, make([]byte, more)...)
	copy(b[begin+more:], b[begin:len(b)-more])
	protowire.AppendVarint(b[:begin-1], size)
	return b
}

// appendLength begins a field of so many bytes, which follow.
func appendLength(b []byte, id protowire.Number, length int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, id, protowire.BytesType), uint64(length)) //nolint:gosec // a length
}

func appendText[T text](b []byte, id protowire.Number, value T) []byte {
	return append(appendLength(b, id, len(value)), value...)
}

func appendNumber(b []byte, id protowire.Number, number uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, id, protowire.VarintType), number)
}
