// SPDX-License-Identifier: Apache-2.0

// Package forward carries TCP connections from the host's loopback into a
// cluster's network namespace, in user space: the host gets no interface, no
// route and no rule. A process inside the namespace dials on request over a
// Unix socket, which network namespaces do not separate.
package forward

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// dialTimeout bounds one connection attempt inside the namespace.
const dialTimeout = 5 * time.Second

// ServeDial answers dial requests at a Unix socket: the target (host:port) as
// one line, then the connection's bytes. A target that can't be reached closes
// it. Names are looked up at nameServer, by the names' full length.
func ServeDial(ctx context.Context, socket, nameServer string) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing an old socket: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("listening at %s: %w", socket, err)
	}
	dialer := net.Dialer{Timeout: dialTimeout, Resolver: resolver(nameServer)}
	return serve(ctx, listener, func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		target, err := dialer.DialContext(ctx, "tcp", strings.TrimSpace(line))
		if err != nil {
			return
		}
		splice(conn, reader, target)
	})
}

func resolver(nameServer string) *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(nameServer, "53"))
		},
	}
}

// Dial connects to a target as seen from inside, through the dial socket of a
// cluster.
func Dial(ctx context.Context, socket, target string) (net.Conn, error) {
	inside, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	if _, err := io.WriteString(inside, target+"\n"); err != nil {
		return nil, errors.Join(fmt.Errorf("asking the cluster for %s: %w", target, err), inside.Close())
	}
	return inside, nil
}

// Serve carries every connection of a listener on to a target.
func Serve(ctx context.Context, listener net.Listener, socket, target string) error {
	return serve(ctx, listener, func(conn net.Conn) {
		inside, err := Dial(ctx, socket, target)
		if err != nil {
			return
		}
		splice(conn, conn, inside)
	})
}

func serve(ctx context.Context, listener net.Listener, handle func(net.Conn)) error {
	stop := context.AfterFunc(ctx, func() { closeQuietly(listener) })
	defer stop()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accepting at %s: %w", listener.Addr(), err)
		}
		go func() {
			defer closeQuietly(conn)
			handle(conn)
		}()
	}
}

// splice copies both ways until both sides have ended. One side's end is
// passed on as the end of writing only, so that half-closed connections and
// hang-ups look the same on both ends.
func splice(client net.Conn, fromClient io.Reader, target net.Conn) {
	defer closeQuietly(target)
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyThenEnd(target, fromClient)
	}()
	copyThenEnd(client, target)
	closeQuietly(client)
	<-done
}

func copyThenEnd(to net.Conn, from io.Reader) {
	if _, err := io.Copy(to, from); err != nil {
		closeQuietly(to)
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err == nil {
			return
		}
	}
	closeQuietly(to)
}

// closeQuietly closes what may be closed already: that error says nothing.
func closeQuietly(c io.Closer) { _ = c.Close() } //nolint:errcheck // closing twice is how both directions end
