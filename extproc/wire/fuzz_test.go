// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/tars-operator/tars-operator/extproc/wire"
)

// FuzzRead reads whatever package proto reads, as it does, but for attributes. What is broken in a field
// that nobody here uses, may be read.
func FuzzRead(f *testing.F) {
	attributes := map[string]*structpb.Struct{"filter": {Fields: map[string]*structpb.Value{
		"request.path": structpb.NewStringValue("/v1"), "response.code": structpb.NewNumberValue(200), "tls": structpb.NewBoolValue(true),
	}}}
	headers := &extprocv3.HttpHeaders{EndOfStream: true, Headers: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
		{Key: ":path", RawValue: []byte("/v1")}, {Key: "a", Value: "b"},
	}}}
	for _, msg := range []*extprocv3.ProcessingRequest{
		pieceRequest([]byte("abc"), true, true), pieceRequest(nil, false, false),
		{Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: headers}, Attributes: attributes},
		{Request: &extprocv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: headers}, Attributes: attributes},
		{Request: &extprocv3.ProcessingRequest_ResponseTrailers{ResponseTrailers: &extprocv3.HttpTrailers{Trailers: headers.GetHeaders()}}},
	} {
		text, err := proto.Marshal(msg)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		text := append(append([]byte{}, first...), second...)
		want := &extprocv3.ProcessingRequest{}
		got, err := wire.Read(text)
		got.Attribute("request.path")
		if proto.Unmarshal(text, want) != nil {
			return // it did not panic
		}
		if err != nil {
			t.Fatalf("%x: %v, package proto reads\n%v", text, err, want)
		}
		if told := told(want); !sameRequest(got, told) {
			t.Fatalf("%x: read\n%v\npackage proto\n%v", text, got, told)
		}
	})
}
