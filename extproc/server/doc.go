// SPDX-License-Identifier: Apache-2.0

// Package server speaks Envoy's external processing protocol
// (envoy.service.ext_proc.v3) with request and response bodies in the mode
// FULL_DUPLEX_STREAMED: one gRPC stream for each HTTP request, on which both
// directions go on independently and nothing need be answered one to one.
//
// A request for a model is held until its whole body was read and the model
// is known; everything else passes on at once. An answer passes on at once,
// too, while its usage is read.
package server
