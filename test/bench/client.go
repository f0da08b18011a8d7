// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// exchangeTimeout is for one request: none comes near it unless it hangs.
	exchangeTimeout = 60 * time.Second
	readBuffer      = 64 << 10
)

// timing is what one exchange took. Times are counted from when it was due.
type timing struct {
	firstByte, total time.Duration
	// gaps are the times between the arrivals of a paced stream's pieces.
	gaps []time.Duration
	// bytes are those of the answer's body, lines the ends of lines among them.
	bytes, lines int
}

// client is one connection of HTTP/1.1. It does no more than it has to: it
// shares the machine with what it measures.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
	piece  []byte
	paced  bool
}

func dial(address string, paced bool) (*client, error) {
	conn, err := net.DialTimeout("tcp", address, exchangeTimeout)
	if err != nil {
		return nil, fmt.Errorf("connecting to Envoy: %w", err)
	}
	return &client{conn: conn, reader: bufio.NewReaderSize(conn, readBuffer), piece: make([]byte, readBuffer), paced: paced}, nil
}

func (c *client) Close() error { return c.conn.Close() }

// do sends a request and reads its answer to the end. Any status but 200 is an
// error.
func (c *client) do(request []byte, due time.Time) (t timing, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return t, fmt.Errorf("setting a deadline: %w", err)
	}
	if _, err := c.conn.Write(request); err != nil {
		return t, fmt.Errorf("sending: %w", err)
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return t, fmt.Errorf("reading the answer: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	last := due
	for {
		n, err := resp.Body.Read(c.piece)
		now := time.Now()
		if n > 0 {
			t.bytes += n
			t.lines += bytes.Count(c.piece[:n], []byte{'\n'})
			switch {
			case t.firstByte == 0:
				t.firstByte = now.Sub(due)
			case c.paced:
				t.gaps = append(t.gaps, now.Sub(last))
			}
			last = now
		}
		if err == nil {
			continue
		}
		t.total = now.Sub(due)
		switch {
		case !errors.Is(err, io.EOF):
			return t, fmt.Errorf("reading the answer's body: %w", err)
		case resp.StatusCode != http.StatusOK:
			return t, fmt.Errorf("the answer is %s: %.300s", resp.Status, c.piece)
		}
		return t, nil
	}
}
