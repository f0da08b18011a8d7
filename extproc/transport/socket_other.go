// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package transport

import (
	"net"
	"time"
)

// socket is the bytes of a connection. It waits for them through the runtime's poller:
// see socket_linux.go for the other way.
type socket struct{ net.Conn }

func newSocket(nc net.Conn, _ *threads) *socket { return &socket{nc} }

func (s *socket) adapt() {}

// write writes all of p, and gives up after writeTimeout.
func (s *socket) write(p []byte) error {
	if err := s.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := s.Write(p)
	return err
}
