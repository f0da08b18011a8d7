// SPDX-License-Identifier: Apache-2.0

// Package wire turns ext_proc's messages into bytes for gRPC, and back. Messages
// with a piece of a body are most of the traffic, and hold most of its bytes:
// their few fields are read and written here, so that a body is copied once on
// its way in, out of gRPC's buffers, and not at all on its way out. Every other
// message goes through package proto.
//
// The bytes are those of the same protocol: a test holds both ways together.
package wire
