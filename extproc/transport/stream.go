// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"
	"errors"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errStreamDone is for replies that nobody waits for.
var errStreamDone = errors.New("the stream has ended")

// Stream is a call of a method. Send and Room may be called by any goroutine, Expect
// by the handler.
type Stream struct {
	conn     *conn
	id       uint32
	handler  Handler
	message  message
	room     int   // bytes that the peer may send
	expected int64 // bytes that the handler reads in any case
	closed   bool  // the handler has been told

	// Of the connection's lock.
	window  int64  // bytes that we may send
	queue   []byte // what waits for a window
	started bool   // the headers were sent
	done    bool   // nothing more is sent
	status  *status.Status
}

// Send sends a message, in two parts, which the caller may change afterwards. It does
// not wait: what the peer has no room for is kept, see Room. Its error says that the
// stream or the connection has ended.
func (s *Stream) Send(head, body []byte) error {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.done || s.status != nil {
		return errStreamDone
	}
	if !s.started {
		s.started = true
		c.putHeaders(s.id, false, hpack.HeaderField{Name: ":status", Value: "200"}, contentType)
	}
	size := len(head) + len(body)
	binary.BigEndian.PutUint32(c.prefix[1:], uint32(size)) //nolint:gosec // maxMessage and the budget bound it
	parts := [...][]byte{c.prefix[:], head, body}
	if len(s.queue) > 0 {
		s.keep(parts[:])
		return c.written()
	}
	s.write(parts[:])
	if s.keep(parts[:]); len(s.queue) > 0 {
		c.queued++
	}
	return c.written()
}

// Expect widens the stream's window by n bytes that are going to come and that the
// handler reads whatever becomes of its replies: a body that is held. Otherwise the peer
// would wait for us after each window of it. It is for the handler alone.
func (s *Stream) Expect(n int64) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.expected = n
	s.widen()
}

// Room tells whether everything that was sent has left. Where it has not,
// Handler.Sent says when.
func (s *Stream) Room() bool {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return len(s.queue) == 0
}

// keep adds what is left of the parts to the queue. The lock is held.
func (s *Stream) keep(parts [][]byte) {
	for _, part := range parts {
		s.queue = append(s.queue, part...)
	}
}

// write writes as much of the parts as the windows allow, and takes it out of them.
// The lock is held.
func (s *Stream) write(parts [][]byte) {
	c := s.conn
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	for size > 0 {
		n := int(min(int64(size), int64(c.longest), s.window, c.window))
		if n <= 0 {
			return
		}
		c.begin(frame{kind: http2.FrameData, stream: s.id}, n)
		s.window -= int64(n)
		c.window -= int64(n)
		size -= n
		for i := range parts {
			take := min(n, len(parts[i]))
			c.out = append(c.out, parts[i][:take]...)
			parts[i], n = parts[i][take:], n-take
		}
		if len(c.out) >= writeBuffer && c.flush() != nil {
			return // the connection has ended
		}
	}
}

// writeQueue writes what waits, as far as the windows allow. The lock is held.
func (s *Stream) writeQueue() {
	parts := [...][]byte{s.queue}
	s.write(parts[:])
	if s.queue = parts[0]; len(s.queue) == 0 {
		s.queue = nil // the memory too
	}
}

var contentType = hpack.HeaderField{Name: "content-type", Value: "application/grpc"}

// end writes the stream's status, once everything before it has left, and tells
// whether it has. The lock is held.
func (s *Stream) end() bool {
	if s.done || len(s.queue) > 0 {
		return s.done
	}
	s.done = true
	fields := make([]hpack.HeaderField, 0, 4)
	if !s.started {
		fields = append(fields, hpack.HeaderField{Name: ":status", Value: "200"}, contentType)
	}
	fields = append(fields, hpack.HeaderField{Name: "grpc-status", Value: strconv.Itoa(int(s.status.Code()))})
	if text := s.status.Message(); text != "" {
		fields = append(fields, hpack.HeaderField{Name: "grpc-message", Value: percent(text)})
	}
	s.conn.putHeaders(s.id, true, fields...)
	if s.status.Code() != codes.OK {
		s.conn.putReset(s.id, http2.ErrCodeNo) // what else the peer has to say
	}
	return true
}

// maxStatus is how much of a status' message is told, in bytes: it may quote the peer,
// and has to fit into one frame.
const maxStatus = 1 << 10

// percent writes a status' message as a header may hold it (PROTOCOL-HTTP2.md).
func percent(text string) string {
	const hex = "0123456789ABCDEF"
	text = text[:min(len(text), maxStatus)]
	var b []byte
	for i := range len(text) {
		if ch := text[i]; ch >= ' ' && ch <= '~' && ch != '%' {
			b = append(b, ch)
		} else {
			b = append(b, '%', hex[ch>>4], hex[ch&15])
		}
	}
	return string(b)
}

// close tells the handler, once.
func (s *Stream) close() {
	if !s.closed {
		s.closed = true
		s.message.drop(s.conn.server.budget)
		s.handler.Close()
	}
}

// statusOf is what an error of a handler is told as.
func statusOf(err error) *status.Status {
	if err == nil {
		return status.New(codes.OK, "")
	}
	st, _ := status.FromError(err)
	return st
}
