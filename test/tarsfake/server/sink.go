// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// How an exchange can end early.
var (
	// errCut: the stand-in was told to cut, or it stops.
	errCut = errors.New("the connection is cut here")
	// errGone: the client left.
	errGone = errors.New("the client left")
)

// noLimit is a sink's limit that is never reached.
const noLimit = -1

// sink writes the body's bytes as the behaviour wants them on the wire.
type sink struct {
	ctx     context.Context
	closing <-chan struct{}
	w       http.ResponseWriter
	control *http.ResponseController
	// split is the number of bytes to flush at once, 0 for no bound; gap
	// passes in between.
	split int
	gap   time.Duration
	// limit is the number of bytes after which to cut.
	limit int64
	sent  int64
}

// Write writes all of p, or up to the limit and then fails with errCut.
func (s *sink) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		piece := p[written:]
		if s.split > 0 {
			piece = piece[:min(len(piece), s.split)]
		}
		if s.limit != noLimit {
			piece = piece[:min(int64(len(piece)), s.limit-s.sent)]
		}
		n, err := s.w.Write(piece)
		written += n
		s.sent += int64(n)
		if err != nil {
			return written, fmt.Errorf("%w: %w", errGone, err)
		}
		if s.limit != noLimit && s.sent >= s.limit {
			return written, errCut
		}
		if s.split == 0 {
			continue
		}
		if err := s.flush(); err != nil {
			return written, err
		}
		if err := s.wait(s.gap); err != nil {
			return written, err
		}
	}
	return written, nil
}

// flush brings what was written, and the headers, to the client.
func (s *sink) flush() error {
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return nil
}

// wait lets time pass, and learns that the client left even if none has to.
func (s *sink) wait(d time.Duration) error {
	if err := s.ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	return s.until(timer.C)
}

// until waits for the time, the client or the end of the server; a nil time
// never comes.
func (s *sink) until(elapsed <-chan time.Time) error {
	select {
	case <-elapsed:
		return nil
	case <-s.ctx.Done():
		return fmt.Errorf("%w: %w", errGone, s.ctx.Err())
	case <-s.closing:
		return errCut
	}
}

// cut ends the connection under HTTP/1, the stream under HTTP/2, without an
// end of the body. What was written before still arrives.
func (s *sink) cut(begun bool) error {
	if begun {
		if err := s.flush(); err != nil {
			return err
		}
	}
	// HTTP/2 cannot be hijacked; there, a deadline that has passed resets the
	// stream at once.
	conn, _, err := s.control.Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		return s.control.SetWriteDeadline(time.Unix(1, 0))
	}
	if err != nil {
		return fmt.Errorf("taking over the connection to cut it: %w", err)
	}
	// Without TLS's goodbye: it would tell an orderly end.
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	return conn.Close()
}
