// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// errQuiet is for a wait in which nothing has come.
var errQuiet = errors.New("nothing has come")

// source reads from the peer, and writes what there is before it waits: the
// replies to all that came together leave together.
type source struct{ *conn }

// Read implements io.Reader.
func (s source) Read(p []byte) (int, error) {
	for {
		if err := s.wait(true); err != nil {
			return 0, err
		}
		n, err := s.net.Read(p)
		if e := s.wait(false); err == nil {
			err = e
		}
		if !errors.Is(err, errQuiet) {
			return n, err
		}
	}
}

// wait flushes on the way into the wait, and tells others that they have to do it
// for the time being.
func (c *conn) wait(waiting bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = waiting
	if !waiting {
		return c.broken
	}
	err := c.flush()
	c.net.adapt()
	return err
}

// written follows whatever was put into memory: it flushes when that is much, or
// nobody else will. The lock is held.
func (c *conn) written() error {
	if c.waiting || len(c.out) >= writeBuffer {
		return c.flush()
	}
	return c.broken
}

// flush writes what is in memory. The lock is held.
func (c *conn) flush() error {
	if c.broken != nil || len(c.out) == 0 {
		return c.broken
	}
	err := c.net.write(c.out)
	c.out = c.out[:0]
	if err != nil {
		c.broken = fmt.Errorf("writing to Envoy: %w", err)
		c.cut() // the goroutine that reads is to notice
	}
	return c.broken
}

// writeInTime writes all of p, and gives up after writeTimeout.
func writeInTime(c net.Conn, p []byte) error {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := c.Write(p)
	return err
}
