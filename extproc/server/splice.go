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
	small   []byte // runs that make one piece
}

// next returns the next piece, and whether it is the last. It is valid until next is
// called again.
func (o *outgoing) next() (piece []byte, last bool) {
	o.small = o.small[:0]
	for {
		if len(o.rest) == 0 {
			if o.rest = o.run(); len(o.rest) == 0 {
				return o.small, true
			}
		}
		n := min(maxPiece, len(o.rest))
		gather := len(o.small)+n <= maxPiece/4
		if !gather && len(o.small) > 0 {
			return o.small, false
		}
		run := o.rest[:n]
		o.rest = o.rest[n:]
		switch more := o.more(); {
		case gather && (more || len(o.small) > 0):
			o.small = append(o.small, run...)
			if !more {
				return o.small, true
			}
		default:
			return run, !more
		}
	}
}

// more tells whether something may follow on what was taken.
func (o *outgoing) more() bool {
	return len(o.rest) > 0 || int64(len(o.block)) > o.skip || len(o.splices) > 0 || o.buffer.More()
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
