// SPDX-License-Identifier: Apache-2.0

package memory

import "sync"

const (
	// pieceSize is the capacity of pieces that are used again, in bytes: Envoy sends
	// a large body in messages of a little more than 32 KiB, for which Go's runtime
	// takes five pages.
	pieceSize = 40 << 10
	// minPiece is what is worth one, in bytes.
	minPiece = 16 << 10
)

// pieces are not in use.
var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// Take returns an empty slice with room for size bytes. What was written into it before
// is behind its length.
func Take(size int) []byte {
	if size < minPiece || size > pieceSize {
		return make([]byte, 0, size)
	}
	piece, _ := pieces.Get().(*[pieceSize]byte) //nolint:errcheck // there is nothing else in it
	return piece[:0]
}

// Recycle takes back what Take returned, from its first byte on. Nobody may use it
// afterwards. Who does not call it leaves the memory to the garbage collector.
func Recycle(p []byte) {
	if cap(p) != pieceSize {
		return
	}
	piece := (*[pieceSize]byte)(p[:pieceSize])
	spoil(piece[:])
	pieces.Put(piece)
}
