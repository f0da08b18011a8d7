// SPDX-License-Identifier: Apache-2.0

package wire

import (
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/structpb"
)

// Fields of a response with a piece of a body, from the outside in.
const (
	responseRequestBody  protowire.Number = 3 // ProcessingResponse.request_body
	responseResponseBody protowire.Number = 4 // ProcessingResponse.response_body
	bodyResponse         protowire.Number = 1 // BodyResponse.response
	commonMutation       protowire.Number = 3 // CommonResponse.body_mutation
	mutationStreamed     protowire.Number = 3 // BodyMutation.streamed_response
	streamedBody         protowire.Number = 1 // StreamedBodyResponse.body
	streamedEnd          protowire.Number = 2 // StreamedBodyResponse.end_of_stream
)

// maxHead is room for those fields' tags and lengths, and for the metadata's.
const maxHead = 64

// pieceOf is the piece of a body in a response that says nothing else but metadata,
// and the number of its field; nil when the response is any other.
func pieceOf(msg *extprocv3.ProcessingResponse) (*extprocv3.StreamedBodyResponse, protowire.Number) {
	var body *extprocv3.BodyResponse
	var field protowire.Number
	switch r := msg.GetResponse().(type) {
	case *extprocv3.ProcessingResponse_RequestBody:
		body, field = r.RequestBody, responseRequestBody
	case *extprocv3.ProcessingResponse_ResponseBody:
		body, field = r.ResponseBody, responseResponseBody
	default:
		return nil, 0
	}
	common := body.GetResponse()
	piece := common.GetBodyMutation().GetStreamedResponse()
	if piece == nil || saysMore(msg) || common.GetStatus() != extprocv3.CommonResponse_CONTINUE || common.GetHeaderMutation() != nil ||
		common.GetTrailers() != nil || common.GetClearRouteCache() ||
		piece.GetEndOfStreamWithoutMessage() || piece.GetGrpcMessageCompressed() || piece.GetDrainComplete() {
		return nil, 0
	}
	return piece, field
}

// saysMore tells whether a response has a field beside its kind and its metadata.
func saysMore(msg *extprocv3.ProcessingResponse) bool {
	return msg.GetModeOverride() != nil || msg.GetOverrideMessageTimeout() != nil || msg.GetTypedDynamicMetadata() != nil ||
		msg.GetServerWindowUpdate() != nil || msg.GetRequestDrainRequests() || msg.GetRequestDrainResponses() ||
		msg.GetRequestDrain() //nolint:staticcheck // deprecated, not gone
}

// marshalPiece writes all but the body, which is the end of the message and is
// left where it is. ok is false where the metadata is not of our making.
func marshalPiece(metadata *structpb.Struct, piece *extprocv3.StreamedBodyResponse, field protowire.Number) (_ mem.BufferSlice, ok bool) {
	told, ok := sizeStruct(metadata)
	if !ok {
		return nil, false
	}
	head := make([]byte, 0, told+maxHead)
	if metadata != nil {
		head = appendStruct(appendLength(head, responseMetadata, told), metadata)
	}
	body := piece.GetBody()
	streamed := protowire.SizeTag(streamedBody) + protowire.SizeBytes(len(body))
	if piece.GetEndOfStream() {
		streamed += protowire.SizeTag(streamedEnd) + protowire.SizeVarint(1)
	}
	mutation := protowire.SizeTag(mutationStreamed) + protowire.SizeBytes(streamed)
	common := protowire.SizeTag(commonMutation) + protowire.SizeBytes(mutation)
	response := protowire.SizeTag(bodyResponse) + protowire.SizeBytes(common)

	head = appendLength(head, field, response)
	head = appendLength(head, bodyResponse, common)
	head = appendLength(head, commonMutation, mutation)
	head = appendLength(head, mutationStreamed, streamed)
	if piece.GetEndOfStream() {
		head = protowire.AppendVarint(protowire.AppendTag(head, streamedEnd, protowire.VarintType), 1)
	}
	head = appendLength(head, streamedBody, len(body))
	return mem.BufferSlice{mem.SliceBuffer(head), mem.SliceBuffer(body)}, true
}

// appendLength begins a field of so many bytes.
func appendLength(b []byte, field protowire.Number, length int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(max(0, length)))
}
