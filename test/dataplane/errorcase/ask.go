// SPDX-License-Identifier: Apache-2.0

package errorcase

import (
	"bufio"
	"context"
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

// Ask causes the error at an Envoy's address. id is the request's; headers are
// further ones, as name and value.
func (c Case) Ask(ctx context.Context, address string, a API, id string, headers ...string) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var last Reply
	for range max(c.Times, 1) {
		var err error
		if c.head != "" {
			last, err = c.askRaw(ctx, address, a, id)
		} else {
			last, err = c.askHTTP(ctx, address, a, id, headers)
		}
		if err != nil {
			return Reply{}, fmt.Errorf("asking for %s: %w", c.Name, err)
		}
	}
	return last, nil
}

func (c Case) askHTTP(ctx context.Context, address string, a API, id string, headers []string) (Reply, error) {
	method, path := c.what(a)
	var body io.Reader = http.NoBody
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, body)
	if err != nil {
		return Reply{}, err
	}
	req.Header.Set("x-request-id", id)
	if c.body != "" {
		req.Header.Set("content-type", "application/json")
	}
	for _, list := range [][]string{a.Header, c.headers, headers} {
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
	return Read(resp)
}

// askRaw sends a head that net/http would not send.
func (c Case) askRaw(ctx context.Context, address string, a API, id string) (Reply, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return Reply{}, err
	}
	defer func() { _ = conn.Close() }() // there is nothing left to lose
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return Reply{}, err
		}
	}
	method, path := c.what(a)
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\n%s\r\n", method, path, id, c.head); err != nil {
		return Reply{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return Reply{}, err
	}
	return Read(resp)
}

// Read reads an answer to its end.
func Read(resp *http.Response) (Reply, error) {
	body, err := io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	return Reply{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}, err
}
