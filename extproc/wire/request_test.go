// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/tars-operator/tars-operator/extproc/wire"
)

// told is what package proto reads of a request, in our words.
func told(msg *extprocv3.ProcessingRequest) wire.Request {
	switch m := msg.GetRequest().(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return toldHeaders(wire.RequestHeaders, m.RequestHeaders.GetHeaders(), m.RequestHeaders.GetEndOfStream())
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return toldHeaders(wire.ResponseHeaders, m.ResponseHeaders.GetHeaders(), m.ResponseHeaders.GetEndOfStream())
	case *extprocv3.ProcessingRequest_RequestTrailers:
		return toldHeaders(wire.RequestTrailers, m.RequestTrailers.GetTrailers(), false)
	case *extprocv3.ProcessingRequest_ResponseTrailers:
		return toldHeaders(wire.ResponseTrailers, m.ResponseTrailers.GetTrailers(), false)
	case *extprocv3.ProcessingRequest_RequestBody:
		return wire.Request{Kind: wire.RequestBody, Body: m.RequestBody.GetBody(), End: m.RequestBody.GetEndOfStream()}
	case *extprocv3.ProcessingRequest_ResponseBody:
		return wire.Request{Kind: wire.ResponseBody, Body: m.ResponseBody.GetBody(), End: m.ResponseBody.GetEndOfStream()}
	default:
		return wire.Request{}
	}
}

func toldHeaders(kind wire.Kind, m *corev3.HeaderMap, end bool) wire.Request {
	r := wire.Request{Kind: kind, End: end}
	for _, h := range m.GetHeaders() {
		value := string(h.GetRawValue())
		if value == "" {
			value = h.GetValue()
		}
		r.Headers = append(r.Headers, wire.Header{Name: h.GetKey(), Value: value})
	}
	return r
}

// sameRequest compares what was read, attributes left out.
func sameRequest(a, b wire.Request) bool {
	if a.Kind != b.Kind || a.End != b.End || !bytes.Equal(a.Body, b.Body) || len(a.Headers) != len(b.Headers) {
		return false
	}
	for i := range a.Headers {
		if a.Headers[i] != b.Headers[i] {
			return false
		}
	}
	return true
}

func expectRead(msg *extprocv3.ProcessingRequest) {
	GinkgoHelper()
	text, err := proto.Marshal(msg)
	Expect(err).NotTo(HaveOccurred())
	got, err := wire.Read(text)
	Expect(err).NotTo(HaveOccurred())
	if want := told(msg); !sameRequest(got, want) {
		Expect(got).To(Equal(want))
	}
	for _, group := range msg.GetAttributes() {
		for name, value := range group.GetFields() {
			Expect(got.Attribute(name)).To(Equal(value.GetStringValue()), name)
		}
	}
	Expect(got.Attribute("of nobody")).To(BeEmpty())
}

func pieceRequest(body []byte, last, request bool) *extprocv3.ProcessingRequest {
	b := &extprocv3.HttpBody{Body: body, EndOfStream: last}
	if request {
		return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{RequestBody: b}}
	}
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{ResponseBody: b}}
}

// attributes are of every kind.
func attributes() *structpb.Struct {
	GinkgoHelper()
	s, err := structpb.NewStruct(map[string]any{
		"request.path": "/v1/x", "empty": "", "response.code": 200.0, "connection.mtls": true, "none": nil,
		"list": []any{"a", 1.0}, "inner": map[string]any{"request.path": "inner"}, "": "without a name",
	})
	Expect(err).NotTo(HaveOccurred())
	return s
}

var _ = Describe("A message of Envoy is read as package proto reads it", func() {
	It("when it is a piece of a body, which stays where it is", func() {
		for _, size := range []int{0, 1, 100, 127, 128, 16 << 10, 70 << 10} {
			for _, last := range []bool{false, true} {
				for _, request := range []bool{false, true} {
					msg := pieceRequest(bytes.Repeat([]byte("a"), size), last, request)
					msg.MetadataContext = &corev3.Metadata{}
					expectRead(msg)
				}
			}
		}
		text, err := proto.Marshal(pieceRequest([]byte("abc"), true, true))
		Expect(err).NotTo(HaveOccurred())
		got, err := wire.Read(text)
		Expect(err).NotTo(HaveOccurred())
		at := bytes.Index(text, []byte("abc"))
		Expect(&got.Body[0]).To(BeIdenticalTo(&text[at]))
		Expect(got.Body).To(HaveCap(3), "whoever appends gets memory of its own")
	})

	It("when it is headers or trailers", func() {
		values := []*corev3.HeaderValue{
			{Key: ":path", RawValue: []byte("/v1/x")}, {Key: "empty"}, {Key: "told", Value: "as text"}, {Key: "both", Value: "text", RawValue: []byte("raw")},
			{Key: "latin", RawValue: []byte{0xe9}}, {Key: "long", RawValue: bytes.Repeat([]byte("x"), 300)}, {RawValue: []byte("nameless")},
		}
		for n := range len(values) + 1 {
			m := &corev3.HeaderMap{Headers: values[:n]}
			for _, end := range []bool{false, true} {
				h := &extprocv3.HttpHeaders{Headers: m, EndOfStream: end}
				expectRead(&extprocv3.ProcessingRequest{
					Request:        &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: h},
					Attributes:     map[string]*structpb.Struct{"envoy.filters.http.ext_proc": attributes()},
					ProtocolConfig: &extprocv3.ProtocolConfiguration{SendBodyWithoutWaitingForHeaderResponse: true},
				})
				expectRead(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: h}})
			}
			expectRead(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestTrailers{RequestTrailers: &extprocv3.HttpTrailers{Trailers: m}}})
			expectRead(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseTrailers{ResponseTrailers: &extprocv3.HttpTrailers{Trailers: m}}})
		}
		expectRead(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{}}})
		expectRead(&extprocv3.ProcessingRequest{})
	})

	It("whatever else it has, and in whatever order", func() {
		unknown := pieceRequest([]byte("a"), true, true)
		unknown.ProtoReflect().SetUnknown([]byte{0xf8, 1, 1, 0xf2, 1, 1, 'x', 0xfd, 1, 1, 2, 3, 4, 0xf9, 1, 1, 2, 3, 4, 5, 6, 7, 8})
		unknown.GetRequestBody().ProtoReflect().SetUnknown([]byte{0x78, 1})
		unknown.ObservabilityMode = true
		expectRead(unknown)

		headers, err := proto.Marshal(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{
			Headers: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "a"}}}, EndOfStream: true,
		}}})
		Expect(err).NotTo(HaveOccurred())
		piece, err := proto.Marshal(pieceRequest([]byte("a"), false, true))
		Expect(err).NotTo(HaveOccurred())
		for _, text := range [][]byte{append(bytes.Clone(headers), piece...), append(bytes.Clone(piece), headers...), append(bytes.Clone(headers), headers...)} {
			msg := &extprocv3.ProcessingRequest{}
			Expect(proto.Unmarshal(text, msg)).To(Succeed())
			expectRead(msg)
			got, err := wire.Read(text)
			Expect(err).NotTo(HaveOccurred())
			Expect(sameRequest(got, told(msg))).To(BeTrue())
		}
	})

	It("and refused when it is broken", func() {
		text, err := proto.Marshal(pieceRequest([]byte("abc"), true, true))
		Expect(err).NotTo(HaveOccurred())
		for n := 1; n < len(text); n++ {
			_, err := wire.Read(text[:n])
			Expect(err).To(MatchError(ContainSubstring("not a ProcessingRequest")), "%d bytes", n)
		}
		for _, broken := range [][]byte{{0}, {0x0b}, {0x0d, 1}, {0x09, 1}, bytes.Repeat([]byte{0xff}, 11), {0x12, 4, 0x0a, 2, 0x0a, 9}, {0x12, 3, 0x0a, 1, 0x0a}, {0x22, 1, 0x0a}, {0x12, 6, 0x0a, 4, 0x0a, 2, 0x0a, 9}, {0x12, 7, 0x0a, 5, 0x0a, 3, 0x0a, 1, 0xff}} {
			_, err := wire.Read(broken)
			Expect(err).To(HaveOccurred(), "%x", broken)
			Expect(proto.Unmarshal(broken, &extprocv3.ProcessingRequest{})).NotTo(Succeed(), "%x", broken)
		}
	})
})
