// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/tars-operator/tars-operator/extproc/wire"
)

// expectWritten expects that package proto reads a reply as want.
func expectWritten(r *wire.Reply, want *extprocv3.ProcessingResponse) {
	GinkgoHelper()
	if r.Metadata != nil {
		var err error
		want.DynamicMetadata, err = structpb.NewStruct(map[string]any{"tars": map[string]any{
			"total_tokens": 7.0, "negative": -1.0, "estimated": true, "known": false, "model": strings.Repeat("m", 200), "": "",
		}})
		Expect(err).NotTo(HaveOccurred())
	}
	head, body := r.Append(nil)
	got := &extprocv3.ProcessingResponse{}
	Expect(proto.Unmarshal(append(bytes.Clone(head), body...), got)).To(Succeed())
	Expect(got.ProtoReflect().GetUnknown()).To(BeEmpty())
	if !proto.Equal(got, want) {
		Expect(got.String()).To(Equal(want.String()))
	}
}

// facts are what expectWritten expects of a reply with metadata.
func facts() []wire.Fact {
	return []wire.Fact{
		wire.Number("total_tokens", 7), wire.Number("negative", -1), wire.Truth("estimated", true), wire.Truth("known", false),
		wire.Text("model", strings.Repeat("m", 200)), wire.Text("", ""),
	}
}

func set(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, RawValue: []byte(value)},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

var _ = Describe("A reply is read by package proto as it was meant", func() {
	// Lengths around those at which a length takes another byte.
	lengths := []int{0, 1, 70, 100, 110, 120, 127, 128, 130, 16<<10 - 30, 16<<10 - 1, 16 << 10, 70 << 10}

	It("when it lets headers pass", func() {
		for _, n := range lengths {
			value := strings.Repeat("v", n)
			mutation := &extprocv3.HeaderMutation{
				SetHeaders: []*corev3.HeaderValueOption{set("a", value), set(":path", "/v1")}, RemoveHeaders: []string{"x-a", value},
			}
			for _, metadata := range [][]wire.Fact{nil, facts()} {
				r := &wire.Reply{
					Kind: wire.RequestHeaders, Set: []wire.Header{{Name: "a", Value: value}, {Name: ":path", Value: "/v1"}}, Remove: []string{"x-a", value},
					ClearRouteCache: true, Metadata: metadata, Namespace: "tars",
				}
				common := &extprocv3.CommonResponse{HeaderMutation: mutation, ClearRouteCache: true}
				expectWritten(r, &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{Response: common}}})
				r.Kind, r.ClearRouteCache = wire.ResponseHeaders, false
				common = &extprocv3.CommonResponse{HeaderMutation: mutation}
				expectWritten(r, &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{Response: common}}})
				r.Kind = wire.ResponseTrailers
				expectWritten(r, &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extprocv3.TrailersResponse{HeaderMutation: mutation}}})
				r.Kind = wire.RequestTrailers
				expectWritten(r, &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestTrailers{RequestTrailers: &extprocv3.TrailersResponse{HeaderMutation: mutation}}})
			}
		}
	})

	It("when a header has several values", func() {
		more := func(value string) *corev3.HeaderValueOption {
			return &corev3.HeaderValueOption{
				Header: &corev3.HeaderValue{Key: "a", RawValue: []byte(value)},
				Append: wrapperspb.Bool(true), //nolint:staticcheck // Envoy looks at nothing else
			}
		}
		expectWritten(&wire.Reply{Status: 401, Set: []wire.Header{{Name: "a", Value: "1"}, {Name: "b", Value: "1"}, {Name: "a", Value: "2"}, {Name: "a", Value: "3"}}},
			&extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
				Status:  &typev3.HttpStatus{Code: typev3.StatusCode_Unauthorized},
				Headers: &extprocv3.HeaderMutation{SetHeaders: []*corev3.HeaderValueOption{set("a", "1"), set("b", "1"), more("2"), more("3")}},
			}}})
	})

	It("when it is a piece of a body, which is not copied", func() {
		for _, n := range lengths {
			body := bytes.Repeat([]byte("b"), n)
			for _, last := range []bool{false, true} {
				for _, metadata := range [][]wire.Fact{nil, facts()} {
					piece := &extprocv3.BodyResponse{Response: &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{
						Mutation: &extprocv3.BodyMutation_StreamedResponse{StreamedResponse: &extprocv3.StreamedBodyResponse{Body: body, EndOfStream: last}},
					}}}
					r := &wire.Reply{Kind: wire.RequestBody, Body: body, Last: last, Metadata: metadata, Namespace: "tars"}
					expectWritten(r, &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestBody{RequestBody: piece}})
					r.Kind = wire.ResponseBody
					expectWritten(r, &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: piece}})
					if n > 0 {
						_, same := r.Append(nil)
						Expect(&same[0]).To(BeIdenticalTo(&body[0]))
					}
				}
			}
		}
	})

	It("when it is an answer in the upstream's place", func() {
		for _, n := range lengths {
			body := bytes.Repeat([]byte("b"), n)
			for _, metadata := range [][]wire.Fact{nil, facts()} {
				expectWritten(&wire.Reply{
					Status: 503, Set: []wire.Header{{Name: "content-type", Value: "application/json"}}, Body: body, Details: "why", Metadata: metadata, Namespace: "tars",
				}, &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
					Status: &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable}, Body: body, Details: "why",
					Headers: &extprocv3.HeaderMutation{SetHeaders: []*corev3.HeaderValueOption{set("content-type", "application/json")}},
				}}})
			}
		}
	})
})
