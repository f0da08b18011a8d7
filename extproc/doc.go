// SPDX-License-Identifier: Apache-2.0

// Package extproc is the data plane: an external processor for Envoy that
// applies the model policy of a TarsBackend to requests and reads the usage
// from answers. It never sees the TARS key: Envoy injects it behind this
// filter.
//
// # Dynamic metadata
//
// Replies carry what is new in the namespace "tars", the first one too, and Envoy
// adds it to what it has. A value that is not known yet is absent, except total_tokens, which is always a number, and on requests for a
// model estimated, which is always true or false:
//
//	total_tokens                 tokens of the request so far; 0 where it costs none
//	estimated                    total_tokens is ours: TARS has not told yet
//	input_tokens, output_tokens  as told by TARS, cached and reasoning parts included
//	cached_input_tokens          part of input_tokens
//	cache_creation_input_tokens  part of input_tokens
//	reasoning_tokens             part of output_tokens
//	requested_model              the model that the app asked for
//	model                        the model that TARS was asked for
//	response_model               the model that answered
//	operation                    chat, text_completion or embeddings
//	error_source                 value of x-tarsbackend-error-source
//	error_class                  class of TARS's error, inside a 200 too (usage.Class)
//
// # Layout
//
// transport takes Envoy's streams, server is the protocol and wire its bytes, policy decides, apierror words refusals, usage
// reads answers with jsonscan and sse, modellist rewrites lists of models,
// memory bounds what is held, metrics counts, config is the contract with
// the operator.
package extproc
