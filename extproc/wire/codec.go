// SPDX-License-Identifier: Apache-2.0

package wire

import (
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// codec implements encoding.CodecV2.
type codec struct {
	other encoding.CodecV2
}

// Codec is for grpc.ForceServerCodecV2. Bodies of requests that it reads belong to
// whoever receives the message; those of responses must not change once they were
// sent.
func Codec() encoding.CodecV2 {
	return codec{other: encoding.GetCodecV2(proto.Name)}
}

// Name implements encoding.CodecV2.
func (c codec) Name() string { return proto.Name }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if msg, ok := v.(*extprocv3.ProcessingResponse); ok {
		if piece, field := pieceOf(msg); piece != nil {
			if data, ok := marshalPiece(msg.GetDynamicMetadata(), piece, field); ok {
				return data, nil
			}
		}
	}
	return c.other.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if msg, ok := v.(*extprocv3.ProcessingRequest); ok {
		// Not from gRPC's pool: the body stays in it for as long as it is held, and
		// a pool clears what it gives out.
		text := data.Materialize()
		if unmarshalBody(text, msg) || unmarshalHeaders(text, msg) {
			return nil
		}
		return c.other.Unmarshal(mem.BufferSlice{mem.SliceBuffer(text)}, v)
	}
	return c.other.Unmarshal(data, v)
}
