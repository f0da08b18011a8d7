// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/tars-operator/tars-operator/extproc/wire"
)

// pieceReply is what ext_proc answers a piece of a body with.
func pieceReply(body []byte, last, request bool) *extprocv3.ProcessingResponse {
	r := &extprocv3.BodyResponse{Response: &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{
		Mutation: &extprocv3.BodyMutation_StreamedResponse{StreamedResponse: &extprocv3.StreamedBodyResponse{Body: body, EndOfStream: last}},
	}}}
	if request {
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestBody{RequestBody: r}}
	}
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: r}}
}

func pieceRequest(body []byte, last, request bool) *extprocv3.ProcessingRequest {
	b := &extprocv3.HttpBody{Body: body, EndOfStream: last}
	if request {
		return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{RequestBody: b}}
	}
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{ResponseBody: b}}
}

// cut is text in pieces of n bytes, as gRPC hands it over.
func cut(text []byte, n int) mem.BufferSlice {
	var s mem.BufferSlice
	for len(text) > 0 {
		piece := text[:min(n, len(text))]
		s, text = append(s, mem.SliceBuffer(piece)), text[len(piece):]
	}
	return s
}

// expectSent sends a reply, and expects that package proto reads it.
func expectSent(msg *extprocv3.ProcessingResponse) mem.BufferSlice {
	GinkgoHelper()
	data, err := wire.Codec().Marshal(msg)
	Expect(err).NotTo(HaveOccurred())
	got := &extprocv3.ProcessingResponse{}
	Expect(proto.UnmarshalOptions{DiscardUnknown: false}.Unmarshal(data.Materialize(), got)).To(Succeed())
	if !proto.Equal(got, msg) {
		Expect(got.String()).To(Equal(msg.String()))
	}
	return data
}

// expectRead has a request of package proto read, in pieces.
func expectRead(msg *extprocv3.ProcessingRequest) {
	GinkgoHelper()
	text, err := proto.Marshal(msg)
	Expect(err).NotTo(HaveOccurred())
	for _, n := range []int{max(1, len(text)), 1, 3} {
		got := &extprocv3.ProcessingRequest{}
		Expect(wire.Codec().Unmarshal(cut(text, n), got)).To(Succeed())
		if !proto.Equal(got, msg) {
			Expect(got.String()).To(Equal(msg.String()))
		}
	}
}

var _ = Describe("A message on the wire", func() {
	var metadata *structpb.Struct
	BeforeEach(func() {
		var err error
		metadata, err = structpb.NewStruct(map[string]any{"tars": map[string]any{
			"total_tokens": 7.0, "estimated": true, "model": "gpt", "none": false, "": "", "zero": 0.0, "inner": map[string]any{},
		}})
		Expect(err).NotTo(HaveOccurred())
	})

	It("is read and written as package proto does, when it is a piece of a body", func() {
		for _, size := range []int{0, 1, 100, 127, 128, 16 << 10, 70 << 10} {
			body := bytes.Repeat([]byte("a"), size)
			for _, last := range []bool{false, true} {
				for _, request := range []bool{false, true} {
					expectRead(pieceRequest(body, last, request))
					reply := pieceReply(body, last, request)
					expectSent(reply)
					reply.DynamicMetadata = metadata
					data := expectSent(reply)
					if size > 0 {
						Expect(&data[len(data)-1].ReadOnlyData()[0]).To(BeIdenticalTo(&body[0]), "the body is not copied")
					}
				}
			}
		}
	})

	It("may have metadata of any kind", func() {
		reply := pieceReply([]byte("a"), false, true)
		for _, value := range []any{nil, []any{"a", nil}, map[string]any{"list": []any{1.0}}} {
			var err error
			reply.DynamicMetadata, err = structpb.NewStruct(map[string]any{"tars": value})
			Expect(err).NotTo(HaveOccurred())
			expectSent(reply)
		}
		reply.DynamicMetadata = &structpb.Struct{}
		expectSent(reply)
	})

	It("is read whatever else it says", func() {
		with := pieceRequest([]byte("a"), true, true)
		with.Attributes = map[string]*structpb.Struct{"x": metadata}
		expectRead(with)
		expectRead(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{EndOfStream: true}}})
		expectRead(&extprocv3.ProcessingRequest{})
		unknown := pieceRequest([]byte("a"), true, true)
		unknown.GetRequestBody().ProtoReflect().SetUnknown([]byte{0x78, 1})
		expectRead(unknown)
	})

	It("is read as package proto does, when it is headers", func() {
		sent := func(values ...*corev3.HeaderValue) *extprocv3.HttpHeaders {
			return &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{Headers: values}, EndOfStream: true}
		}
		raw := &corev3.HeaderValue{Key: ":path", RawValue: []byte("/v1/x")}
		for _, h := range []*extprocv3.HttpHeaders{
			sent(), sent(raw), sent(raw, &corev3.HeaderValue{Key: "empty"}, raw), sent(raw, &corev3.HeaderValue{Key: "told", Value: "as text"}),
			sent(&corev3.HeaderValue{Key: "latin", RawValue: []byte{0xe9}}),
			{Headers: sent(raw).GetHeaders(), Attributes: map[string]*structpb.Struct{"old": metadata}},
		} {
			told, err := structpb.NewStruct(map[string]any{"response.code": 200.0, "request.path": "/v1/x", "connection.mtls": true, "": ""})
			Expect(err).NotTo(HaveOccurred())
			for _, attributes := range []map[string]*structpb.Struct{nil, {"x": metadata}, {"x": told}, {"x": told, "y": told, "z": {}}} {
				expectRead(&extprocv3.ProcessingRequest{
					Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: h}, Attributes: attributes,
					ProtocolConfig: &extprocv3.ProtocolConfiguration{SendBodyWithoutWaitingForHeaderResponse: true},
				})
				expectRead(&extprocv3.ProcessingRequest{
					Request: &extprocv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: h}, Attributes: attributes,
				})
			}
		}
		both, err := proto.Marshal(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: sent(raw)}})
		Expect(err).NotTo(HaveOccurred())
		later, err := proto.Marshal(pieceRequest([]byte("a"), true, true))
		Expect(err).NotTo(HaveOccurred())
		got := &extprocv3.ProcessingRequest{}
		Expect(wire.Codec().Unmarshal(cut(append(both, later...), 5), got)).To(Succeed())
		Expect(got.GetRequestBody()).NotTo(BeNil(), "the last kind counts")
	})

	It("is refused when it is broken, in pieces or not", func() {
		text, err := proto.Marshal(pieceRequest([]byte("abc"), true, true))
		Expect(err).NotTo(HaveOccurred())
		for n := 1; n < len(text); n++ {
			Expect(wire.Codec().Unmarshal(cut(text[:n], 2), &extprocv3.ProcessingRequest{})).NotTo(Succeed(), "%d bytes", n)
		}
	})

	It("keeps every field that a piece may have beside its body", func() {
		for _, part := range []func(*extprocv3.ProcessingResponse) protoreflect.Message{
			func(m *extprocv3.ProcessingResponse) protoreflect.Message { return m.ProtoReflect() },
			func(m *extprocv3.ProcessingResponse) protoreflect.Message {
				return m.GetRequestBody().GetResponse().ProtoReflect()
			},
			func(m *extprocv3.ProcessingResponse) protoreflect.Message {
				return m.GetRequestBody().GetResponse().GetBodyMutation().GetStreamedResponse().ProtoReflect()
			},
		} {
			fields := part(pieceReply(nil, false, true)).Descriptor().Fields()
			for i := range fields.Len() {
				msg := pieceReply([]byte("body"), false, true)
				m, field := part(msg), fields.Get(i)
				if m.Has(field) {
					continue
				}
				switch {
				case field.IsMap():
					m.Mutable(field)
				case field.Kind() == protoreflect.MessageKind:
					m.Set(field, m.NewField(field))
				case field.Kind() == protoreflect.BoolKind:
					m.Set(field, protoreflect.ValueOfBool(true))
				case field.Kind() == protoreflect.EnumKind:
					m.Set(field, protoreflect.ValueOfEnum(1))
				}
				expectSent(msg)
			}
		}
	})

	It("may be one of another service", func() {
		data, err := wire.Codec().Marshal(&healthv1.HealthCheckRequest{Service: "x"})
		Expect(err).NotTo(HaveOccurred())
		got := &healthv1.HealthCheckRequest{}
		Expect(wire.Codec().Unmarshal(data, got)).To(Succeed())
		Expect(got.GetService()).To(Equal("x"))
		Expect(wire.Codec().Name()).To(Equal("proto"))
	})
})
