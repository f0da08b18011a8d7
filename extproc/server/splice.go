// SPDX-License-Identifier: Apache-2.0

package server

import "github.com/tars-operator/tars-operator/extproc/memory"

// maxPiece is the largest piece of a body in one message to Envoy, in bytes.
const maxPiece = 64 << 10

// splicing replaces the bytes from start up to end of a body.
type splicing struct {
	start, end int64
	text       []byte
}

// outgoing is a held body on its way, with splicings applied, which are in order
// and do not overlap.
type outgoing struct {
	buffer  *memory.Buffer
	splices []splicing
	block   []byte // what is left of the buffer's last block
	at      int64  // offset of the block's first byte
	skip    int64  // bytes that were replaced
	rest    []byte // of the last run
	pending []byte // the next piece: it is kept until it is known whether it is the last
}

// next returns the next piece, and whether it is the last.
func (o *outgoing) next() (piece []byte, last bool) {
	for {
		if len(o.rest) == 0 {
			o.rest = o.run()
		}
		if len(o.rest) == 0 {
			return o.pending, true
		}
		n := min(maxPiece, len(o.rest))
		run := o.rest[:n:n]
		o.rest = o.rest[n:]
		if len(o.pending)+n <= maxPiece/4 {
			o.pending = append(o.pending, run...)
			continue
		}
		piece, o.pending = o.pending, run
		if len(piece) > 0 {
			return piece, false
		}
	}
}

// run returns the bytes up to the next place where a splicing begins or ends, or
// to the end of a block; none at the end of the body.
func (o *outgoing) run() []byte {
	for {
		skipped := min(o.skip, int64(len(o.block)))
		o.block, o.at, o.skip = o.block[skipped:], o.at+skipped, o.skip-skipped
		if len(o.block) == 0 {
			if o.block = o.buffer.Next(); o.block == nil {
				return nil
			}
			continue
		}
		n := int64(len(o.block))
		if len(o.splices) > 0 {
			next := o.splices[0]
			if next.start == o.at {
				o.splices, o.skip = o.splices[1:], next.end-next.start
				if len(next.text) > 0 {
					return next.text
				}
				continue
			}
			n = min(n, next.start-o.at)
		}
		run := o.block[:n]
		o.block, o.at = o.block[n:], o.at+n
		return run
	}
}
