// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package transport

import "net"

// socket is the bytes of a connection. It waits for them through the runtime's poller:
// see socket_linux.go for the other way.
type socket struct{ net.Conn }

func newSocket(nc net.Conn, _ *threads) *socket { return &socket{nc} }

func (s *socket) adapt() {}

func (s *socket) write(p []byte) error { return writeInTime(s.Conn, p) }
