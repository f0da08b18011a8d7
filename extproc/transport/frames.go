// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frame is the head of a frame of RFC 9113, section 4.1.
type frame struct {
	kind   http2.FrameType
	flags  http2.Flags
	stream uint32
}

// begin puts the head of a frame of so many bytes into memory. The lock is held.
func (c *conn) begin(f frame, length int) {
	// The length is of 24 bits, in front of the kind.
	head := uint32(length)<<8 | uint32(f.kind) //nolint:gosec // maxFrameSize bounds it
	c.out = binary.BigEndian.AppendUint32(c.out, head)
	c.out = append(c.out, byte(f.flags))
	c.out = binary.BigEndian.AppendUint32(c.out, f.stream)
}

// put puts a whole frame into memory, whose payload is numbers of 32 bits. The lock
// is held.
func (c *conn) put(f frame, payload ...uint32) {
	c.begin(f, 4*len(payload))
	for _, n := range payload {
		c.out = binary.BigEndian.AppendUint32(c.out, n)
	}
}

func (c *conn) putSettings(settings ...http2.Setting) {
	c.begin(frame{kind: http2.FrameSettings}, 6*len(settings))
	for _, s := range settings {
		c.out = binary.BigEndian.AppendUint16(c.out, uint16(s.ID))
		c.out = binary.BigEndian.AppendUint32(c.out, s.Val)
	}
}

func (c *conn) putPing(flags http2.Flags, data [8]byte) {
	c.begin(frame{kind: http2.FramePing, flags: flags}, len(data))
	c.out = append(c.out, data[:]...)
}

func (c *conn) putGoAway(last uint32, code http2.ErrCode) {
	c.put(frame{kind: http2.FrameGoAway}, last, uint32(code))
}

func (c *conn) putReset(stream uint32, code http2.ErrCode) {
	c.put(frame{kind: http2.FrameRSTStream, stream: stream}, uint32(code))
}

// putWindow widens a window; stream 0 is the connection.
func (c *conn) putWindow(stream uint32, by int) {
	c.put(frame{kind: http2.FrameWindowUpdate, stream: stream}, uint32(by)) //nolint:gosec // our own windows bound it
}

// putHeaders puts a header block into memory, in one frame: ours are short. The lock
// is held.
func (c *conn) putHeaders(stream uint32, end bool, fields ...hpack.HeaderField) {
	c.block.Reset()
	for _, f := range fields {
		if err := c.fields.WriteField(f); err != nil {
			c.broken = err // to memory: it does not
			return
		}
	}
	flags := http2.FlagHeadersEndHeaders
	if end {
		flags |= http2.FlagHeadersEndStream
	}
	c.begin(frame{kind: http2.FrameHeaders, flags: flags, stream: stream}, c.block.Len())
	c.out = append(c.out, c.block.Bytes()...)
}
