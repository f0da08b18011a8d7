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

// splice empties the buffer into emit with the splicings applied, which are
// in order and do not overlap.
func splice(b *memory.Buffer, splices []splicing, emit func(p []byte) error) error {
	var at int64 // offset of the block's first byte
	begun := false
	return b.Drain(func(block []byte) error {
		for len(splices) > 0 && splices[0].start < at+int64(len(block)) {
			next := splices[0]
			if !begun {
				before := next.start - at
				if err := emit(block[:before]); err != nil {
					return err
				}
				if err := emit(next.text); err != nil {
					return err
				}
				block, at, begun = block[before:], next.start, true
			}
			skip := min(next.end-at, int64(len(block)))
			block, at = block[skip:], at+skip
			if at < next.end {
				return nil // the rest of the replaced bytes is in the next block
			}
			splices, begun = splices[1:], false
		}
		at += int64(len(block))
		return emit(block)
	})
}

// pieceSender sends a body to Envoy in pieces. It keeps the last one back
// until it knows that it is the last.
type pieceSender struct {
	session *session
	pending []byte
}

func (p *pieceSender) add(data []byte) error {
	for len(data) > 0 {
		n := min(maxPiece, len(data))
		piece := data[:n:n]
		data = data[n:]
		if len(p.pending)+n <= maxPiece/4 {
			p.pending = append(p.pending, piece...)
			continue
		}
		if len(p.pending) > 0 {
			if err := p.send(false); err != nil {
				return err
			}
		}
		p.pending = piece
	}
	return nil
}

func (p *pieceSender) send(last bool) error {
	return p.session.send(requestPiece(p.pending, last))
}
