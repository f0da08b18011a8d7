// SPDX-License-Identifier: Apache-2.0

package server

// Attributes that the EnvoyExtensionPolicy asks for.
const (
	attrPath      = "request.path"
	attrMethod    = "request.method"
	attrRequestID = "request.id"
	attrDetails   = "response.code_details"
)

// viaUpstream is Envoy's response.code_details of an answer that came from
// the upstream; every other value is an answer that Envoy made.
const viaUpstream = "via_upstream"
