// SPDX-License-Identifier: Apache-2.0

package errorcase

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// askTimeout bounds one exchange.
const askTimeout = 60 * time.Second

// Reply is an answer as the client got it.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// At is where and how a case is asked.
type At struct {
	// Address is Envoy's.
	Address string
	// API is the language of the request.
	API API
	// ID is the request's.
	ID string
	// Headers are further ones, as name and value.
	Headers []string
}

// Ask causes the error.
func (c Case) Ask(ctx context.Context, at At) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var last Reply
	for range max(c.Times, 1) {
		var err error
		if c.head != "" {
			last, err = c.askRaw(ctx, at)
		} else {
			last, err = c.askHTTP(ctx, at)
		}
		if err != nil {
			return Reply{}, fmt.Errorf("asking for %s: %w", c.Name, err)
		}
	}
	return last, nil
}

func (c Case) askHTTP(ctx context.Context, at At) (Reply, error) {
	method, path := c.what(at.API)
	var body io.Reader = http.NoBody
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+at.Address+path, body)
	if err != nil {
		return Reply{}, err
	}
	req.Header.Set("x-request-id", at.ID)
	if c.body != "" {
		req.Header.Set("content-type", "application/json")
	}
	for _, list := range [][]string{at.API.Header, c.headers, at.Headers} {
		for i := 0; i+1 < len(list); i += 2 {
			req.Header.Set(list[i], list[i+1])
		}
	}
	transport := &http.Transport{DisableCompression: true}
	if c.trailer {
		// HTTP/1.1 would tell of trailers in advance, and Envoy drops them.
		req.Trailer = http.Header{"X-Other": {"y"}}
		req.Body = io.NopCloser(body)
		req.ContentLength = -1
		transport.Protocols = &http.Protocols{}
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return Reply{}, err
	}
	return read(resp)
}

// askRaw sends a head that net/http would not send.
func (c Case) askRaw(ctx context.Context, at At) (reply Reply, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.Address)
	if err != nil {
		return Reply{}, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return Reply{}, err
		}
	}
	method, path := c.what(at.API)
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\n%s\r\n", method, path, at.ID, c.head); err != nil {
		return Reply{}, err
	}
	return ReadFrom(conn)
}

// ReadFrom reads an answer from a connection.
func ReadFrom(conn io.Reader) (Reply, error) {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return Reply{}, err
	}
	return read(resp)
}

func read(resp *http.Response) (Reply, error) {
	body, err := io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	return Reply{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}, err
}
