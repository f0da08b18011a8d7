// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/tars-operator/tars-operator/extproc/wire"
)

// FuzzUnmarshal reads any bytes as package proto does, or refuses them with it.
func FuzzUnmarshal(f *testing.F) {
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
		want, got := &extprocv3.ProcessingRequest{}, &extprocv3.ProcessingRequest{}
		wantErr := proto.Unmarshal(text, want)
		err := wire.Codec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(first), mem.SliceBuffer(second)}, got)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%x: the codec says %v, package proto %v", text, err, wantErr)
		}
		if err == nil && !proto.Equal(got, want) {
			t.Fatalf("%x: the codec reads\n%v\npackage proto\n%v", text, got, want)
		}
	})
}
