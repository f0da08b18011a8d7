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

// Stream is a call of a method. Send and Room may be called by any goroutine.
type Stream struct {
	conn    *conn
	id      uint32
	handler Handler
	message message
	room    int  // bytes that the peer may send
	owed    int  // bytes that it may send again, once nothing waits
	closed  bool // the handler has been told

	// Of the connection's lock.
	window  int64    // bytes that we may send
	queue   [][]byte // what waits for a window
	started bool     // the headers were sent
	done    bool     // nothing more is sent
	status  *status.Status
}

// Send sends a message, whose parts must not change from then on. It does not
// wait: what the peer has no room for stays in memory, see Room. Its error says
// that the stream or the connection has ended.
func (s *Stream) Send(parts ...[]byte) error {
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
	prefix := make([]byte, prefixSize)
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	binary.BigEndian.PutUint32(prefix[1:], uint32(size))
	waited := len(s.queue) > 0
	s.queue = append(append(s.queue, prefix), parts...)
	if !waited {
		s.write()
		if len(s.queue) > 0 {
			c.queued++
		}
	}
	return c.written()
}

// Room tells whether everything that was sent has left. Where it has not,
// Handler.Sent says when.
func (s *Stream) Room() bool {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return len(s.queue) == 0
}

// write writes as much of the queue as the windows allow. The lock is held.
func (s *Stream) write() {
	c := s.conn
	for len(s.queue) > 0 {
		size := 0
		for _, part := range s.queue {
			size += len(part)
		}
		allowed := int(min(int64(size), int64(c.longest), s.window, c.window))
		if allowed <= 0 && size > 0 {
			return
		}
		c.begin(frame{kind: http2.FrameData, stream: s.id}, allowed)
		s.window -= int64(allowed)
		c.window -= int64(allowed)
		s.take(allowed)
		if len(c.out) >= writeBuffer && c.flush() != nil {
			return // the connection has ended
		}
	}
}

// take moves n bytes from the queue to what is written next. The lock is held.
func (s *Stream) take(n int) {
	for len(s.queue) > 0 {
		part := s.queue[0]
		if len(part) > n {
			s.conn.out = append(s.conn.out, part[:n]...)
			s.queue[0] = part[n:]
			return
		}
		s.conn.out = append(s.conn.out, part...)
		n -= len(part)
		s.queue[0] = nil
		s.queue = s.queue[1:]
	}
	s.queue = nil
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

// percent writes a status' message as a header may hold it (PROTOCOL-HTTP2.md).
func percent(text string) string {
	const hex = "0123456789ABCDEF"
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
