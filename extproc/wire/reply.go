// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of ProcessingResponse and what it holds.
const (
	replyImmediate protowire.Number = 7 // ProcessingResponse.immediate_response
	replyMetadata  protowire.Number = 8 // ProcessingResponse.dynamic_metadata

	commonResponse   protowire.Number = 1 // of HeadersResponse and BodyResponse
	commonMutation   protowire.Number = 2 // CommonResponse.header_mutation
	commonBody       protowire.Number = 3 // CommonResponse.body_mutation
	commonClear      protowire.Number = 5 // CommonResponse.clear_route_cache
	trailersMutation protowire.Number = 1 // TrailersResponse.header_mutation
	mutationSet      protowire.Number = 1 // HeaderMutation.set_headers
	mutationRemove   protowire.Number = 2 // HeaderMutation.remove_headers
	optionHeader     protowire.Number = 1 // HeaderValueOption.header
	optionAppend     protowire.Number = 2 // HeaderValueOption.append
	optionAction     protowire.Number = 3 // HeaderValueOption.append_action
	boolValue        protowire.Number = 1 // BoolValue.value
	bodyStreamed     protowire.Number = 3 // BodyMutation.streamed_response
	streamedBody     protowire.Number = 1 // StreamedBodyResponse.body
	streamedEnd      protowire.Number = 2 // StreamedBodyResponse.end_of_stream
	immediateStatus  protowire.Number = 1 // ImmediateResponse.status
	immediateHeaders protowire.Number = 2 // ImmediateResponse.headers
	immediateBody    protowire.Number = 3 // ImmediateResponse.body
	immediateDetails protowire.Number = 5 // ImmediateResponse.details
	statusCode       protowire.Number = 1 // HttpStatus.code

	// overwriteOrAdd is HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD.
	overwriteOrAdd = 2
)

// Reply is a ProcessingResponse.
type Reply struct {
	// Kind is that of the message that is answered; None for an answer in the
	// upstream's place.
	Kind Kind
	// Set are headers to set, instead of every value that there is; a name may come
	// again, for another value of it. Remove are names of headers to take out.
	Set    []Header
	Remove []string
	// ClearRouteCache has the route be chosen again, by the changed headers.
	ClearRouteCache bool
	// Body is a piece of a body, and of an answer the whole of it. Last says that
	// it is the last piece.
	Body []byte
	Last bool
	// Status and Details are those of an answer.
	Status  int
	Details string
	// Metadata are facts for Envoy's dynamic metadata, in the namespace.
	Metadata  []Fact
	Namespace string
}

// Append writes the message behind b, in two parts: a piece of a body is its end, and
// is not copied.
func (r *Reply) Append(b []byte) (head, body []byte) {
	if len(r.Metadata) > 0 {
		b = appendMessage(b, replyMetadata, func(b []byte) []byte { return appendMetadata(b, r.Namespace, r.Metadata) })
	}
	switch r.Kind {
	case None:
		return appendMessage(b, replyImmediate, r.appendImmediate), nil
	case RequestBody, ResponseBody:
		return r.appendPiece(b), r.Body
	case RequestTrailers, ResponseTrailers:
		return appendMessage(b, replyField(r.Kind), func(b []byte) []byte {
			return appendMessage(b, trailersMutation, r.appendMutation)
		}), nil
	default:
		return appendMessage(b, replyField(r.Kind), func(b []byte) []byte {
			return appendMessage(b, commonResponse, r.appendCommon)
		}), nil
	}
}

// replyField is the field of ProcessingResponse for a kind.
func replyField(k Kind) protowire.Number { return protowire.Number(k) }

func (r *Reply) appendCommon(b []byte) []byte {
	b = appendMessage(b, commonMutation, r.appendMutation)
	if r.ClearRouteCache {
		b = appendNumber(b, commonClear, 1)
	}
	return b
}

// appendMutation writes HeaderMutation.
func (r *Reply) appendMutation(b []byte) []byte {
	for i, h := range r.Set {
		again := slices.ContainsFunc(r.Set[:i], func(before Header) bool { return before.Name == h.Name })
		b = appendMessage(b, mutationSet, func(b []byte) []byte {
			b = appendMessage(b, optionHeader, func(b []byte) []byte {
				return appendText(appendText(b, headerKey, h.Name), headerRawValue, h.Value)
			})
			if again {
				// By its old name: the action is not looked at (Envoy 1.39, envoyproxy/envoy#36982).
				return appendMessage(b, optionAppend, func(b []byte) []byte { return appendNumber(b, boolValue, 1) })
			}
			return appendNumber(b, optionAction, overwriteOrAdd)
		})
	}
	for _, name := range r.Remove {
		b = appendText(b, mutationRemove, name)
	}
	return b
}

// appendImmediate writes ImmediateResponse.
func (r *Reply) appendImmediate(b []byte) []byte {
	b = appendMessage(b, immediateStatus, func(b []byte) []byte {
		return appendNumber(b, statusCode, uint64(r.Status)) //nolint:gosec // an HTTP status
	})
	b = appendMessage(b, immediateHeaders, r.appendMutation)
	b = appendText(b, immediateBody, r.Body)
	return appendText(b, immediateDetails, r.Details)
}

// appendPiece writes a piece of a body up to its bytes, which follow.
func (r *Reply) appendPiece(b []byte) []byte {
	streamed := protowire.SizeTag(streamedBody) + protowire.SizeBytes(len(r.Body))
	if r.Last {
		streamed += protowire.SizeTag(streamedEnd) + protowire.SizeVarint(1)
	}
	mutation := protowire.SizeTag(bodyStreamed) + protowire.SizeBytes(streamed)
	common := protowire.SizeTag(commonBody) + protowire.SizeBytes(mutation)
	response := protowire.SizeTag(commonResponse) + protowire.SizeBytes(common)

	b = appendLength(b, replyField(r.Kind), response)
	b = appendLength(b, commonResponse, common)
	b = appendLength(b, commonBody, mutation)
	b = appendLength(b, bodyStreamed, streamed)
	if r.Last {
		b = appendNumber(b, streamedEnd, 1)
	}
	return appendLength(b, streamedBody, len(r.Body))
}
