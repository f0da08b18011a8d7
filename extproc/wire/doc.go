// SPDX-License-Identifier: Apache-2.0

// Package wire reads and writes the messages of Envoy's service
// envoy.service.ext_proc.v3.ExternalProcessor: the few of their fields that we
// use, straight between bytes and what the server works with. Package proto would
// make hundreds of objects of the headers, attributes and metadata of a request,
// and copy each body once more.
//
// The bytes are those of the same protocol: tests hold both ways against package
// proto with the types of go-control-plane.
package wire
