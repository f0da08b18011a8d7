// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// errBroken is for bytes that are not a message.
var errBroken = errors.New("what Envoy sent is not a ProcessingRequest")

// Kind says what a message is about.
type Kind uint8

// Kinds of messages.
const (
	None Kind = iota
	RequestHeaders
	ResponseHeaders
	RequestBody
	ResponseBody
	RequestTrailers
	ResponseTrailers
)

// Fields of ProcessingRequest and what it holds.
const (
	requestAttributes protowire.Number = 9
	messageHeaders    protowire.Number = 1 // of HttpHeaders and HttpTrailers
	headersEnd        protowire.Number = 3 // HttpHeaders.end_of_stream
	bodyBytes         protowire.Number = 1 // HttpBody.body
	bodyEnd           protowire.Number = 2 // HttpBody.end_of_stream
	headerMapHeaders  protowire.Number = 1 // HeaderMap.headers
	headerKey         protowire.Number = 1 // HeaderValue.key
	headerValue       protowire.Number = 2 // HeaderValue.value
	headerRawValue    protowire.Number = 3 // HeaderValue.raw_value
)

// requestKind is the kind that a field of ProcessingRequest stands for.
func requestKind(id protowire.Number) Kind {
	if id < 2 || id > 7 {
		return None
	}
	return [...]Kind{RequestHeaders, ResponseHeaders, RequestBody, ResponseBody, RequestTrailers, ResponseTrailers}[id-2]
}

// Header is one of a request's or an answer's.
type Header struct{ Name, Value string }

// Request is a ProcessingRequest.
type Request struct {
	Kind Kind
	// Headers are those, or the trailers.
	Headers []Header
	// Body is a piece of a body; it stays in the message's bytes, which are Text. Lent
	// says that those are somebody else's: who keeps a piece copies it. Kept says that
	// somebody keeps those.
	Body, Text []byte
	Lent, Kept bool
	// End says that nothing follows in this direction.
	End bool

	attributes []string // a Struct for each filter
}

// Read reads a message. What it is told by fields that nobody here uses is left
// out.
func Read(message []byte) (r Request, err error) {
	r.Text = message
	for len(message) > 0 {
		f, after, ok := next(message)
		if !ok {
			return r, errBroken
		}
		if f.wire == protowire.BytesType {
			if kind := requestKind(f.id); kind != None {
				if ok = r.read(kind, f.bytes); !ok {
					return r, errBroken
				}
			} else if f.id == requestAttributes {
				r.addAttributes(f.bytes)
			}
		}
		message = after
	}
	return r, nil
}

// read reads what a message of that kind holds. As the protocol has it, the last
// kind of several counts.
func (r *Request) read(kind Kind, message []byte) bool {
	if r.Kind != kind {
		r.Kind, r.Headers, r.Body, r.End = kind, nil, nil, false
	}
	if kind == RequestBody || kind == ResponseBody {
		return r.readBody(message)
	}
	for len(message) > 0 {
		f, after, ok := next(message)
		switch {
		case !ok:
			return false
		case f.is(messageHeaders, protowire.BytesType):
			if !r.readHeaders(string(f.bytes)) {
				return false
			}
		case f.is(headersEnd, protowire.VarintType) && kind != RequestTrailers && kind != ResponseTrailers:
			r.End = protowire.DecodeBool(f.number)
		}
		message = after
	}
	return true
}

func (r *Request) readBody(message []byte) bool {
	for len(message) > 0 {
		f, after, ok := next(message)
		switch {
		case !ok:
			return false
		case f.is(bodyBytes, protowire.BytesType):
			r.Body = slices.Clip(f.bytes)
		case f.is(bodyEnd, protowire.VarintType):
			r.End = protowire.DecodeBool(f.number)
		}
		message = after
	}
	return true
}

// readHeaders reads HeaderMap.
func (r *Request) readHeaders(message string) bool {
	if r.Headers == nil {
		r.Headers = make([]Header, 0, count(message))
	}
	for len(message) > 0 {
		f, after, ok := next(message)
		if !ok {
			return false
		}
		if f.is(headerMapHeaders, protowire.BytesType) {
			h, ok := readHeader(f.bytes)
			if !ok {
				return false
			}
			r.Headers = append(r.Headers, h)
		}
		message = after
	}
	return true
}

// count is the number of fields of a message.
func count(message string) int {
	n := 0
	for ok := true; ok && len(message) > 0; n++ {
		_, message, ok = next(message)
	}
	return n
}

// readHeader reads HeaderValue: Envoy sends raw bytes, and text only when it is told
// to.
func readHeader(message string) (h Header, ok bool) {
	value, raw := "", ""
	for len(message) > 0 {
		f, after, ok := next(message)
		switch {
		case !ok:
			return h, false
		case f.is(headerKey, protowire.BytesType):
			h.Name = f.bytes
		case f.is(headerValue, protowire.BytesType):
			value = f.bytes
		case f.is(headerRawValue, protowire.BytesType):
			raw = f.bytes
		}
		message = after
	}
	if h.Value = raw; raw == "" {
		h.Value = value
	}
	return h, utf8.ValidString(h.Name) && utf8.ValidString(value)
}
