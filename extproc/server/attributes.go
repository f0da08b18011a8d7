// SPDX-License-Identifier: Apache-2.0

package server

import (
	"google.golang.org/protobuf/types/known/structpb"
)

// Attributes that the EnvoyExtensionPolicy asks for.
const (
	attrRouteMetadata = "xds.route_metadata"
	attrPath          = "request.path"
	attrMethod        = "request.method"
	attrRequestID     = "request.id"
	attrDetails       = "response.code_details"
)

// viaUpstream is Envoy's response.code_details of an answer that came from
// the upstream; every other value is an answer that Envoy made.
const viaUpstream = "via_upstream"

// attributes are what Envoy tells beside headers, in one group for each
// filter; there is one.
type attributes map[string]*structpb.Struct

func newAttributes(m map[string]*structpb.Struct) attributes { return m }

func (a attributes) text(name string) string {
	for _, group := range a {
		if v, ok := group.GetFields()[name]; ok {
			return v.GetStringValue()
		}
	}
	return ""
}
