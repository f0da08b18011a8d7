// SPDX-License-Identifier: Apache-2.0

package metrics

// OpenTelemetry's GenAI semantic conventions, as Prometheus names: dots
// become underscores, a unit in braces such as {token} is left out, the unit
// s becomes the suffix _seconds. The conventions are still in development;
// a change of them is a change of this file only.
//
// One histogram is never split into cached and uncached parts: subsets have
// their own counters (see metrics.go).
const (
	nameTokenUsage = "gen_ai_client_token_usage"              // gen_ai.client.token.usage, {token}
	nameDuration   = "gen_ai_server_request_duration_seconds" // gen_ai.server.request.duration, s
	nameFirstToken = "gen_ai_server_time_to_first_token_seconds"
	nameEachToken  = "gen_ai_server_time_per_output_token_seconds"

	labelOperation     = "gen_ai_operation_name"
	labelProvider      = "gen_ai_provider_name"
	labelTokenType     = "gen_ai_token_type"
	labelRequestModel  = "gen_ai_request_model"
	labelResponseModel = "gen_ai_response_model"
	labelServerAddress = "server_address"
	labelServerPort    = "server_port"
	labelErrorType     = "error_type"

	tokenTypeInput  = "input"
	tokenTypeOutput = "output"
)

// tokenBuckets are the conventions' buckets of token usage, in tokens.
func tokenBuckets() []float64 {
	return []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
}

// durationBuckets are the conventions' buckets of a request's duration, in
// seconds.
func durationBuckets() []float64 {
	return []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
}

// eachTokenBuckets are the conventions' buckets of the time for each token after
// the first, in seconds.
func eachTokenBuckets() []float64 {
	return []float64{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5}
}

// firstTokenBuckets are the conventions' buckets of the time to the first
// token, in seconds, and five more: reasoning models are silent for long.
func firstTokenBuckets() []float64 {
	return []float64{
		0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
		15, 20, 30, 45, 60,
	}
}
