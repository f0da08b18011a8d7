// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// streamWindow and connWindow are HTTP/2's flow control windows, in bytes: what
	// Envoy may send ahead of our reading. The first is what a stream costs that
	// does not get rid of its replies.
	streamWindow = 64 << 10
	connWindow   = 8 << 20
	// maxExpected bounds what is added to a stream's window at a time, in bytes.
	maxExpected = 1 << 20
	// readBuffer is what is read at once, in bytes, and writeBuffer about what is
	// written at once.
	readBuffer  = 64 << 10
	writeBuffer = 64 << 10
	// maxFrame is the longest frame that we take, in bytes: HTTP/2's default.
	maxFrame = 16 << 10
	// maxHeaders bounds the headers that open a stream, in bytes. Envoy's are a
	// few hundred.
	maxHeaders = 16 << 10
	// headerTable is the size of the table of header fields, in bytes: HTTP/2's
	// default.
	headerTable = 4 << 10
	// defaultWindow is HTTP/2's window before anybody says otherwise, in bytes.
	defaultWindow = 1<<16 - 1
	// maxWindow is the largest that there may be.
	maxWindow = 1<<31 - 1
	// maxStreamID is the highest of a stream.
	maxStreamID = 1<<31 - 1
	// helloTimeout is for a peer that connects and says nothing.
	helloTimeout = 10 * time.Second
	// writeTimeout is for a peer that does not read. Envoy reads whatever it
	// waits for.
	writeTimeout = 20 * time.Second
	// ackTimeout is for a peer that does not acknowledge that we drain.
	ackTimeout = 5 * time.Second
)

// errDone ends a connection that has been drained.
var errDone = errors.New("drained")

// conn is a connection. What is above its lock belongs to the goroutine that
// serves it.
type conn struct {
	server  *Server
	net     *socket
	in      *bufio.Reader
	framer  *http2.Framer
	streams map[uint32]*Stream
	last    uint32 // the highest stream
	room    int    // bytes that the peer may send
	settled bool   // the peer's settings have come

	mu      sync.Mutex
	out     []byte           // frames that are not written yet
	prefix  [prefixSize]byte // of the message that is being sent
	waiting bool             // the goroutine waits for the peer: whoever sends writes
	window  int64            // bytes that we may send
	initial int64            // and on each new stream
	longest int              // the longest frame that the peer takes
	fields  *hpack.Encoder
	block   bytes.Buffer // what fields has encoded
	open    int          // streams
	queued  int          // streams with bytes that wait for a window
	drained drainState
	broken  error // of writing
}

// drainState is how far GracefulStop is.
type drainState uint8

const (
	notDraining  drainState = iota
	announced               // the peer was told; streams that it has begun meanwhile are served
	acknowledged            // no new streams
)

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		server: s, net: newSocket(nc, &s.threads), streams: map[uint32]*Stream{}, room: connWindow,
		window: defaultWindow, initial: defaultWindow, longest: maxFrame,
	}
	c.in = bufio.NewReaderSize(source{c}, readBuffer)
	c.framer = http2.NewFramer(nil, c.in)
	c.framer.SetMaxReadFrameSize(maxFrame)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(headerTable, nil)
	c.framer.MaxHeaderListSize = maxHeaders
	c.fields = hpack.NewEncoder(&c.block)
	// The preface: nothing may be sent before it.
	c.putSettings(
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeaders},
	)
	c.putWindow(0, connWindow-defaultWindow)
	return c
}

// serve serves the connection to its end.
func (c *conn) serve() {
	err := c.hello()
	for err == nil {
		err = c.next()
	}
	c.mu.Lock()
	if protocol, ok := errors.AsType[http2.ConnectionError](err); ok {
		c.server.log.Info("closing a connection that breaks HTTP/2's rules", "error", err.Error(), "detail", fmt.Sprint(c.framer.ErrorDetail()))
		c.putGoAway(c.last, http2.ErrCode(protocol))
	}
	c.broken = errors.Join(c.flush(), net.ErrClosed)
	c.cut()
	for _, s := range c.streams {
		s.done = true
	}
	c.mu.Unlock()
	for _, s := range c.streams {
		s.close()
	}
}

// hello exchanges the prefaces.
func (c *conn) hello() error {
	if err := c.net.SetReadDeadline(time.Now().Add(helloTimeout)); err != nil {
		return fmt.Errorf("a deadline: %w", err)
	}
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.in, preface); err != nil {
		return fmt.Errorf("reading the preface: %w", err)
	}
	if string(preface) != http2.ClientPreface {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if err := c.net.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("a deadline: %w", err)
	}
	return nil
}

// next serves a frame. Its error ends the connection.
func (c *conn) next() error {
	h, err := c.framer.ReadFrameHeader()
	if errors.Is(err, http2.ErrFrameTooLarge) {
		return http2.ConnectionError(http2.ErrCodeFrameSize)
	}
	if err != nil {
		return err
	}
	if !c.settled && h.Type != http2.FrameSettings {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if h.Type == http2.FrameData {
		return c.data(h)
	}
	f, err := c.framer.ReadFrameForHeader(h)
	if broken, ok := errors.AsType[http2.StreamError](err); ok {
		c.last = max(c.last, broken.StreamID)
		return c.reset(broken.StreamID, broken.Code)
	}
	if err != nil {
		return err
	}
	return c.control(f)
}

// control serves a frame that is not DATA.
func (c *conn) control(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return c.headers(f)
	case *http2.SettingsFrame:
		return c.settings(f)
	case *http2.WindowUpdateFrame:
		return c.windowUpdate(f)
	case *http2.RSTStreamFrame:
		if f.StreamID > c.last {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		return c.forget(f.StreamID)
	case *http2.PingFrame:
		return c.ping(f)
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(http2.ErrCodeProtocol)
	default: // GOAWAY: its streams go on; PRIORITY and what else there may be
		return nil
	}
}

func (c *conn) settings(f *http2.SettingsFrame) error {
	c.settled = true
	if f.IsAck() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil {
			return err
		}
		switch s.ID {
		case http2.SettingInitialWindowSize:
			for _, stream := range c.streams {
				stream.window += int64(s.Val) - c.initial
			}
			c.initial = int64(s.Val)
		case http2.SettingMaxFrameSize:
			c.longest = int(s.Val)
		case http2.SettingHeaderTableSize:
			c.fields.SetMaxDynamicTableSizeLimit(s.Val)
		default: // of no meaning to a server that pushes nothing
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.put(frame{kind: http2.FrameSettings, flags: http2.FlagSettingsAck})
	return c.resumeAll()
}

func (c *conn) ping(f *http2.PingFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.IsAck() {
		c.putPing(http2.FlagPingAck, f.Data)
		return nil
	}
	if c.drained == announced {
		c.drained = acknowledged
		c.putGoAway(c.last, http2.ErrCodeNo)
	}
	return c.over()
}

// over is errDone when the connection is of no more use. The lock is held.
func (c *conn) over() error {
	if c.drained == acknowledged && c.open == 0 {
		return errDone
	}
	return nil
}

// drain tells the peer that there will be no more streams, in two steps, so that
// none that is on its way is lost (RFC 9113, section 6.8).
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drained != notDraining {
		return
	}
	c.drained = announced
	c.putGoAway(maxStreamID, http2.ErrCodeNo)
	c.putPing(0, [8]byte{'d', 'r', 'a', 'i', 'n'})
	if c.flush() != nil {
		return // it has ended
	}
	time.AfterFunc(ackTimeout, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.drained = acknowledged
		if c.over() != nil {
			c.cut() // wakes the goroutine
		}
	})
}

// cut ends the connection at once. It may be called again.
func (c *conn) cut() {
	if err := c.net.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		c.server.log.Info("closing a connection of Envoy", "error", err.Error())
	}
}
