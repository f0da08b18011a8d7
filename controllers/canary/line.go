// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// maxHeaderBytes bounds an answer's headers.
const maxHeaderBytes = 32 << 10

// line is a connection to a target for a few questions, one after the other. It is kept
// no longer than that: a new one is what a new client would get, it lands on any of
// Envoy's workers, and it cannot be one that a draining listener still serves with an
// old configuration. An http.Transport would do the same with two goroutines for each
// connection, at several times the cost, and there are a thousand of them in a second.
type line struct {
	target Target
	dialer *net.Dialer
	tls    *listenerTLS

	conn   net.Conn // nil: none yet, or it ended
	unbind func() bool
	limit  io.LimitedReader
	reader *bufio.Reader
}

func (a *asker) newLine(t Target) *line {
	return &line{target: t, dialer: &net.Dialer{Timeout: a.dial, KeepAlive: -1}, tls: newListenerTLS(t, a.now)}
}

// question is a request without a body.
type question struct {
	method, path string
	// ticket lets it through to TARS; empty: none.
	ticket string
	// last: the connection ends with the answer.
	last bool
	// most is how much of the answer's body is read, in bytes.
	most int64
}

// send asks a question, by the deadline of ctx, and returns the answer. An Envoy may end
// a connection after any answer: then the question goes over a new one.
func (l *line) send(ctx context.Context, q question) (*http.Response, error) {
	again := l.conn != nil
	response, err := l.try(ctx, q)
	if err != nil && again && ctx.Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		response, err = l.try(ctx, q)
	}
	return response, err
}

func (l *line) try(ctx context.Context, q question) (response *http.Response, err error) {
	if err := l.open(ctx); err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", l.target.Address, err)
	}
	defer func() {
		if err != nil {
			l.close()
			err = fmt.Errorf("asking %s: %w", l.target.Address, err)
		}
	}()
	deadline, _ := ctx.Deadline()
	if err := l.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	conn := l.conn
	l.unbind = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // it is closed
	request := l.request(q)
	out := bufio.NewWriterSize(conn, 1024)
	if err := errors.Join(request.Write(out), out.Flush()); err != nil {
		return nil, err
	}
	l.limit.N = maxHeaderBytes
	for {
		response, err := http.ReadResponse(l.reader, request)
		if err != nil {
			return nil, err
		}
		if response.StatusCode >= http.StatusOK { // not one that comes before the answer (RFC 9110, 15.2)
			l.limit.N = q.most
			return response, nil
		}
	}
}

// open connects, unless there is a connection.
func (l *line) open(ctx context.Context) error {
	if l.conn != nil {
		return nil
	}
	conn, err := l.dialer.DialContext(ctx, "tcp", l.target.Address)
	if err != nil {
		return err
	}
	if l.target.TLS {
		ctx, cancel := context.WithTimeout(ctx, l.dialer.Timeout)
		defer cancel()
		secure := tls.Client(conn, l.tls.config())
		if err := secure.HandshakeContext(ctx); err != nil {
			return errors.Join(err, conn.Close())
		}
		conn = secure
	}
	l.conn, l.limit.R = conn, conn
	l.reader = bufio.NewReaderSize(&l.limit, 1024)
	return nil
}

func (l *line) request(q question) *http.Request {
	u := &url.URL{Scheme: "http", Host: l.target.Address, Path: q.path, RawPath: q.path} // byte for byte
	if l.target.TLS {
		u.Scheme = "https"
	}
	request := &http.Request{
		Method: q.method, URL: u, Host: l.target.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Close: q.last,
		Header: http.Header{"User-Agent": {"tars-operator-canary"}, "Accept": {"application/json"}},
	}
	if q.ticket != "" {
		request.Header.Set(config.HeaderProbe, q.ticket)
	}
	return request
}

// finish takes what came of closing an answer's body, which reads the rest of it, so that
// another question can follow. It is called before the question's context ends. An answer
// that is too long is none the worse for it, but ends the connection.
func (l *line) finish(response *http.Response, err error) error {
	l.unbind()
	tooLong := l.limit.N <= 0
	if err != nil || tooLong || response.Close {
		l.close()
	}
	if tooLong {
		return nil
	}
	return err
}

// close ends the connection, if there is one.
func (l *line) close() {
	if l.conn == nil {
		return
	}
	if l.unbind != nil {
		l.unbind()
	}
	_ = l.conn.Close() //nolint:errcheck // nothing is lost with it
	l.conn, l.unbind = nil, nil
}
