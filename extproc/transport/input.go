// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// headers opens a stream, or ends the peer's side of one.
func (c *conn) headers(f *http2.MetaHeadersFrame) error {
	if s := c.streams[f.StreamID]; s != nil {
		if !f.StreamEnded() {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		return c.end(s, nil)
	}
	if f.StreamID%2 == 0 {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if f.StreamID <= c.last {
		return nil // the end of one that we have ended before
	}
	c.last = f.StreamID
	c.mu.Lock()
	refused := c.drained == acknowledged
	c.mu.Unlock()
	if refused {
		return c.reset(f.StreamID, http2.ErrCodeRefusedStream)
	}
	if f.Truncated || f.PseudoValue("method") != http.MethodPost || !strings.HasPrefix(value(f, "content-type"), contentType.Value) {
		return c.refuse(f, http.StatusUnsupportedMediaType)
	}
	method := c.server.methods[f.PseudoValue("path")]
	if method == nil {
		method = unimplemented
	}
	s := &Stream{conn: c, id: f.StreamID, room: streamWindow}
	c.mu.Lock()
	s.window = c.initial
	c.open++
	c.mu.Unlock()
	c.streams[s.id] = s
	s.handler = method(s)
	if s.handler == nil {
		s.closed = true
		return c.end(s, status.Errorf(codes.Unimplemented, "there is no method %s here", f.PseudoValue("path")))
	}
	if f.StreamEnded() {
		return c.end(s, nil)
	}
	return nil
}

func unimplemented(*Stream) Handler { return nil }

func value(f *http2.MetaHeadersFrame, name string) string {
	for _, field := range f.RegularFields() {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}

// refuse answers what is not gRPC.
func (c *conn) refuse(f *http2.MetaHeadersFrame, code int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putHeaders(f.StreamID, true, hpack.HeaderField{Name: ":status", Value: fmt.Sprint(code)})
	if !f.StreamEnded() {
		c.putReset(f.StreamID, http2.ErrCodeNo)
	}
	return c.written()
}

// data serves a DATA frame.
func (c *conn) data(h http2.FrameHeader) error {
	if h.StreamID == 0 || h.StreamID > c.last {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	left, pad, err := c.padding(h)
	if err != nil {
		return err
	}
	s := c.streams[h.StreamID]
	if s != nil && s.closed {
		s = nil // nobody wants it any more
	}
	if c.room -= int(h.Length); c.room < 0 {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	if s != nil {
		if s.room -= int(h.Length); s.room < 0 {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		if left, err = c.payload(s, left); err != nil {
			return err
		}
	}
	if _, err := c.in.Discard(left + pad); err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	if s == nil || s.closed {
		return c.grant(nil)
	}
	if h.Flags.Has(http2.FlagDataEndStream) {
		return c.end(s, nil)
	}
	s.expected = max(0, s.expected-int64(h.Length))
	return c.grant(s)
}

// padding tells how much of a DATA frame is data, and how much follows it to be
// thrown away.
func (c *conn) padding(h http2.FrameHeader) (data, pad int, err error) {
	data = int(h.Length)
	if !h.Flags.Has(http2.FlagDataPadded) {
		return data, 0, nil
	}
	if data == 0 {
		return 0, 0, http2.ConnectionError(http2.ErrCodeProtocol)
	}
	length, err := c.in.ReadByte()
	if err != nil {
		return 0, 0, fmt.Errorf("reading: %w", err)
	}
	pad = int(length)
	if data -= 1 + pad; data < 0 {
		return 0, 0, http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return data, pad, nil
}

// payload hands the messages of n bytes to the stream's handler, and returns the
// number of bytes that nobody wants any more.
func (c *conn) payload(s *Stream, n int) (int, error) {
	for n > 0 && !s.closed {
		read, fault, err := c.message(s, n)
		if err != nil {
			return n, err
		}
		n -= read
		if fault != nil {
			if err := c.end(s, fault); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// message reads at most n bytes, of one message. A small one that has come as a whole
// is lent to the handler where it lies; any other is put together. Its fault is the
// stream's end.
func (c *conn) message(s *Stream, n int) (read int, fault, err error) {
	if s.message.begun == 0 && n <= maxLent {
		came, err := c.in.Peek(n)
		if err != nil {
			return 0, nil, fmt.Errorf("reading: %w", err)
		}
		if text, ok := whole(came); ok {
			fault = s.handler.Message(text, true)
			read, err = c.in.Discard(prefixSize + len(text))
			return read, fault, err
		}
	}
	dropped := s.message.dropped
	if read, err = s.message.take(c.in, n, c.server.budget); err != nil {
		return read, nil, err
	}
	if s.message.dropped && !dropped {
		if fault = s.handler.Full(); fault != nil {
			return read, fault, nil
		}
	}
	return read, s.deliver(), nil
}

// deliver hands a message to the handler when it is whole. Its error is the
// stream's end.
func (s *Stream) deliver() error {
	switch m := &s.message; {
	case m.fault != nil:
		return m.fault
	case m.whole() && m.dropped:
		m.out(s.conn.server.budget)
		return nil
	case m.whole():
		return s.handler.Message(m.out(s.conn.server.budget), false)
	default:
		return nil
	}
}

// grant lets the peer send what it has been read of: on the stream only where our
// replies leave, so that a stream whose replies nobody takes costs no more than
// its window.
func (c *conn) grant(s *Stream) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if owed := connWindow - c.room; owed >= connWindow/4 {
		c.putWindow(0, owed)
		c.room = connWindow
	}
	if s != nil && len(s.queue) == 0 {
		s.widen()
	}
	return c.written()
}

// widen gives the peer its window on the stream back, when that is worth a frame. The
// lock is held.
func (s *Stream) widen() {
	window := streamWindow + int(min(s.expected, maxExpected))
	if owed := window - s.room; owed >= window/4 {
		s.conn.putWindow(s.id, owed)
		s.room = window
	}
}

// windowUpdate goes on with what waited for it.
func (c *conn) windowUpdate(f *http2.WindowUpdateFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.StreamID == 0 {
		if c.window += int64(f.Increment); c.window > maxWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		return c.resumeAll()
	}
	if f.StreamID > c.last {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	s := c.streams[f.StreamID]
	if s == nil {
		return nil
	}
	if s.window += int64(f.Increment); s.window > maxWindow {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	return c.resume(s)
}

// resumeAll goes on with every stream that waits. The lock is held.
func (c *conn) resumeAll() error {
	for _, s := range c.streams {
		if c.queued == 0 {
			break
		}
		if err := c.resume(s); err != nil {
			return err
		}
	}
	return c.written()
}

// resume goes on with a stream that waits. The lock is held, but not while its
// handler is told.
func (c *conn) resume(s *Stream) error {
	if len(s.queue) == 0 {
		return nil
	}
	s.writeQueue()
	if len(s.queue) > 0 {
		return c.written()
	}
	c.queued--
	if s.status != nil {
		s.end()
		return c.remove(s)
	}
	c.mu.Unlock()
	err := s.handler.Sent()
	if err == nil {
		err = c.grant(s)
	} else {
		err = c.end(s, err)
	}
	c.mu.Lock()
	return err
}

// end ends a stream with an error's status, or with OK, after what was sent on it.
func (c *conn) end(s *Stream, err error) error {
	s.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.status != nil {
		return nil // ended before, and its replies wait
	}
	s.status = statusOf(err)
	if !s.end() {
		return c.written()
	}
	return c.remove(s)
}

// forget is for a stream that the peer has ended.
func (c *conn) forget(id uint32) error {
	s := c.streams[id]
	if s == nil {
		return nil
	}
	c.mu.Lock()
	s.done = true
	if len(s.queue) > 0 {
		c.queued--
		s.queue = nil
	}
	err := c.remove(s)
	c.mu.Unlock()
	s.close()
	return err
}

// remove takes out a stream that has ended. The lock is held.
func (c *conn) remove(s *Stream) error {
	delete(c.streams, s.id)
	c.open--
	if err := c.written(); err != nil {
		return err
	}
	return c.over()
}

// reset ends a stream, known or not, because of what the peer does.
func (c *conn) reset(id uint32, code http2.ErrCode) error {
	c.mu.Lock()
	c.putReset(id, code)
	c.mu.Unlock()
	return c.forget(id)
}
