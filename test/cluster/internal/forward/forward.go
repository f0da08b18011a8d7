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

// ServeDial answers dial requests at a Unix socket: the target as one line,
// then the connection's bytes. A target that can't be reached closes it.
func ServeDial(ctx context.Context, socket string) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing an old socket: %w", err)
	}
	return serve(ctx, "unix", socket, func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		target, err := net.DialTimeout("tcp", strings.TrimSpace(line), dialTimeout)
		if err != nil {
			return
		}
		splice(conn, reader, target)
	})
}

// Listen carries connections to a local address on to a target, through the
// dial socket of a cluster.
func Listen(ctx context.Context, local, socket, target string) error {
	return serve(ctx, "tcp", local, func(conn net.Conn) {
		inside, err := net.Dial("unix", socket)
		if err != nil {
			return
		}
		if _, err := io.WriteString(inside, target+"\n"); err != nil {
			_ = inside.Close() //nolint:errcheck // nothing was sent yet
			return
		}
		splice(conn, conn, inside)
	})
}

func serve(ctx context.Context, network, address string, handle func(net.Conn)) error {
	listener, err := net.Listen(network, address)
	if err != nil {
		return fmt.Errorf("listening at %s: %w", address, err)
	}
	defer context.AfterFunc(ctx, func() { closeQuietly(listener) })()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accepting at %s: %w", address, err)
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
