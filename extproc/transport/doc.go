// SPDX-License-Identifier: Apache-2.0

// Package transport serves gRPC's streams over HTTP/2 (RFC 9113, and gRPC's
// PROTOCOL-HTTP2.md) with one goroutine for each connection: it reads what has
// come, calls the handlers of the streams, and writes all of their replies at
// once before it waits for more.
//
// Envoy keeps one connection for each of its workers and sends each HTTP request
// as a stream of a few small messages. A server with a goroutine for each stream
// and more for each connection spends most of its time on handing those messages
// from one to the other, and on writing each reply by itself; with this one a
// message costs its handling. A connection is served by one CPU at a time, as the
// worker at its other end is.
//
// How a connection waits depends on its load, see socket.
//
// Frames and header blocks are read and written by golang.org/x/net/http2, but for
// DATA, whose bytes go from the connection into their message.
package transport
