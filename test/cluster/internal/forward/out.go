// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// outTimeout bounds one connection attempt to the outside, a proxy's answer
// included.
const outTimeout = 10 * time.Second

// ServeOut carries every connection of a listener, which is inside of a
// cluster, on to one target outside. A target that can't be reached closes it.
func ServeOut(ctx context.Context, listener net.Listener, target string) error {
	return serve(ctx, listener, func(conn net.Conn) {
		outside, err := DialOut(ctx, target)
		if err != nil {
			return
		}
		splice(conn, conn, outside)
	})
}

// DialOut connects to a target (host:port) from this machine: through the
// proxy that HTTPS_PROXY names, unless NO_PROXY excepts the target.
func DialOut(ctx context.Context, target string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, outTimeout)
	defer cancel()
	proxy, err := httpproxy.FromEnvironment().ProxyFunc()(&url.URL{Scheme: "https", Host: target})
	if err != nil {
		return nil, fmt.Errorf("reading HTTPS_PROXY: %w", err)
	}
	if proxy == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
		if err != nil {
			return nil, fmt.Errorf("connecting to %s: %w", target, err)
		}
		return conn, nil
	}
	conn, err := dialProxy(ctx, proxy)
	if err != nil {
		return nil, fmt.Errorf("connecting to the proxy %s of HTTPS_PROXY: %w", proxy.Host, err)
	}
	stop := context.AfterFunc(ctx, func() { closeQuietly(conn) })
	through, err := connect(conn, proxy, target)
	if !stop() || err != nil {
		closeQuietly(conn)
		return nil, fmt.Errorf("asking the proxy %s of HTTPS_PROXY for %s: %w", proxy.Host, target, errors.Join(err, ctx.Err()))
	}
	return through, nil
}

func dialProxy(ctx context.Context, proxy *url.URL) (net.Conn, error) {
	switch proxy.Scheme {
	case "http":
		return (&net.Dialer{}).DialContext(ctx, "tcp", hostPort(proxy, "80"))
	case "https":
		return (&tls.Dialer{Config: &tls.Config{ServerName: proxy.Hostname(), MinVersion: tls.VersionTLS12}}).
			DialContext(ctx, "tcp", hostPort(proxy, "443"))
	default:
		return nil, fmt.Errorf("its scheme %q is neither http nor https", proxy.Scheme)
	}
}

func hostPort(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// connect has a proxy lead on to the target (RFC 9110, section 9.3.6).
func connect(conn net.Conn, proxy *url.URL, target string) (net.Conn, error) {
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		request.Header.Set("Proxy-Authorization",
			"Basic "+base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password)))
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, request) //nolint:bodyclose // after CONNECT the body is the connection itself
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %s", response.Status)
	}
	return &buffered{Conn: conn, reader: reader}, nil
}

// buffered reads what was read ahead first.
type buffered struct {
	net.Conn
	reader io.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.reader.Read(p) }

// CloseWrite ends one direction, where the connection below can.
func (b *buffered) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
