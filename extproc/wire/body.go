// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"slices"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of a request with a piece of a body.
const (
	requestRequestBody  protowire.Number = 4 // ProcessingRequest.request_body
	requestResponseBody protowire.Number = 5 // ProcessingRequest.response_body
	httpBody            protowire.Number = 1 // HttpBody.body
	httpBodyEnd         protowire.Number = 2 // HttpBody.end_of_stream
)

// unmarshalBody reads a message that is a piece of a body and nothing else; ok is
// false, and msg as it was, for any other. The body stays in text.
func unmarshalBody(text []byte, msg *extprocv3.ProcessingRequest) (ok bool) {
	outer, after, ok := next(text)
	if !ok || len(after) > 0 || outer.wire != protowire.BytesType {
		return false
	}
	if outer.number != requestRequestBody && outer.number != requestResponseBody {
		return false
	}
	body := &extprocv3.HttpBody{}
	for inner := outer.bytes; len(inner) > 0; {
		f, after, ok := next(inner)
		switch {
		case ok && f.number == httpBody && f.wire == protowire.BytesType:
			body.Body = slices.Clip(f.bytes)
		case ok && f.number == httpBodyEnd && f.wire == protowire.VarintType:
			body.EndOfStream = protowire.DecodeBool(f.varint)
		default:
			return false
		}
		inner = after
	}
	if outer.number == requestRequestBody {
		msg.Request = &extprocv3.ProcessingRequest_RequestBody{RequestBody: body}
	} else {
		msg.Request = &extprocv3.ProcessingRequest_ResponseBody{ResponseBody: body}
	}
	return true
}
