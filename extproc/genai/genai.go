// SPDX-License-Identifier: Apache-2.0

// Package genai holds the names of OpenTelemetry's semantic conventions for
// generative AI (open-telemetry/semantic-conventions-genai) that metrics and
// spans use. The conventions are still in development, and no Go module has
// them any more (go.opentelemetry.io/otel/semconv took them out in v1.42): a
// change of them is a change of this file.
package genai

// Attributes.
const (
	OperationName = "gen_ai.operation.name"
	ProviderName  = "gen_ai.provider.name"
	RequestModel  = "gen_ai.request.model"
	ResponseModel = "gen_ai.response.model"
	TokenType     = "gen_ai.token.type"
	InputTokens   = "gen_ai.usage.input_tokens"
	OutputTokens  = "gen_ai.usage.output_tokens"
	ServerAddress = "server.address"
	ServerPort    = "server.port"
	ErrorType     = "error.type"
)

// Metrics, with their units.
const (
	TokenUsage = "gen_ai.client.token.usage"           // {token}
	Duration   = "gen_ai.server.request.duration"      // s
	FirstToken = "gen_ai.server.time_to_first_token"   // s
	EachToken  = "gen_ai.server.time_per_output_token" // s
)

// Values of TokenType.
const (
	TokenTypeInput  = "input"
	TokenTypeOutput = "output"
)

// TokenBuckets are the conventions' buckets of token usage, in tokens.
func TokenBuckets() []float64 {
	return []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
}

// DurationBuckets are the conventions' buckets of a request's duration, in
// seconds.
func DurationBuckets() []float64 {
	return []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
}

// FirstTokenBuckets are the conventions' buckets of the time to the first
// token, in seconds, and five more: reasoning models are silent for long.
func FirstTokenBuckets() []float64 {
	return []float64{
		0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
		15, 20, 30, 45, 60,
	}
}

// EachTokenBuckets are the conventions' buckets of the time for each token after
// the first, in seconds.
func EachTokenBuckets() []float64 {
	return []float64{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5}
}
