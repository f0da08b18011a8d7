// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"slices"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// Fields of a request with headers.
const (
	requestRequestHeaders  protowire.Number = 2 // ProcessingRequest.request_headers
	requestResponseHeaders protowire.Number = 3 // ProcessingRequest.response_headers
	httpHeaders            protowire.Number = 1 // HttpHeaders.headers
	httpHeadersEnd         protowire.Number = 3 // HttpHeaders.end_of_stream
	headerMapHeaders       protowire.Number = 1 // HeaderMap.headers
	headerKey              protowire.Number = 1 // HeaderValue.key
	headerRawValue         protowire.Number = 3 // HeaderValue.raw_value
)

// unmarshalHeaders reads a message with headers as Envoy sends them: their values
// raw, and attributes that are scalars. Package proto would make four objects of each
// header and read the attributes' maps by reflection; what else the message has, it
// reads. ok is false for any other message.
func unmarshalHeaders(text []byte, msg *extprocv3.ProcessingRequest) (ok bool) {
	var kind field
	var others []byte
	attributes := map[string]*structpb.Struct{}
	for len(text) > 0 {
		f, after, ok := next(text)
		switch {
		case !ok:
			return false
		case f.number == requestRequestHeaders || f.number == requestResponseHeaders:
			if kind.number != 0 || f.wire != protowire.BytesType {
				return false
			}
			kind = f
		case f.number == requestAttributes:
			if !readAttributes(f, attributes) {
				return false
			}
		default:
			others = append(others, text[:len(text)-len(after)]...)
		}
		text = after
	}
	h, ok := readHeaders(kind.bytes)
	// A piece of a body beside headers would be the message's kind, being the later.
	if kind.number == 0 || !ok || proto.Unmarshal(others, msg) != nil || msg.GetRequest() != nil {
		return false
	}
	if len(attributes) > 0 {
		msg.Attributes = attributes
	}
	if kind.number == requestRequestHeaders {
		msg.Request = &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: h}
	} else {
		msg.Request = &extprocv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: h}
	}
	return true
}

// readHeaders reads HttpHeaders.
func readHeaders(text []byte) (*extprocv3.HttpHeaders, bool) {
	h := &extprocv3.HttpHeaders{}
	for len(text) > 0 {
		f, after, ok := next(text)
		switch {
		case ok && f.number == httpHeaders && f.wire == protowire.BytesType && h.Headers == nil:
			if h.Headers, ok = readHeaderMap(f.bytes); !ok {
				return nil, false
			}
		case ok && f.number == httpHeadersEnd && f.wire == protowire.VarintType:
			h.EndOfStream = protowire.DecodeBool(f.varint)
		default:
			return nil, false
		}
		text = after
	}
	return h, true
}

// readHeaderMap reads HeaderMap, with all headers in one slice. Values stay in text.
func readHeaderMap(text []byte) (*corev3.HeaderMap, bool) {
	var entries [][]byte
	for len(text) > 0 {
		f, after, ok := next(text)
		if !ok || f.number != headerMapHeaders || f.wire != protowire.BytesType {
			return nil, false
		}
		entries, text = append(entries, f.bytes), after
	}
	values := make([]corev3.HeaderValue, len(entries))
	m := &corev3.HeaderMap{Headers: make([]*corev3.HeaderValue, len(entries))}
	for i, entry := range entries {
		if !readHeader(entry, &values[i]) {
			return nil, false
		}
		m.Headers[i] = &values[i]
	}
	return m, true
}

// readHeader reads HeaderValue.
func readHeader(text []byte, h *corev3.HeaderValue) bool {
	for len(text) > 0 {
		f, after, ok := next(text)
		switch {
		case ok && f.number == headerKey && f.wire == protowire.BytesType && utf8.Valid(f.bytes):
			h.Key = string(f.bytes)
		case ok && f.number == headerRawValue && f.wire == protowire.BytesType:
			h.RawValue = slices.Clip(f.bytes)
		default:
			return false
		}
		text = after
	}
	return true
}
