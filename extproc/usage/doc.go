// SPDX-License-Identifier: Apache-2.0

// Package usage reads what an answer says about itself while it passes: how
// many tokens it took, which model answered, whether it is an error. It knows
// the shapes of chat completions, completions, embeddings, responses
// (OpenAI) and messages (Anthropic), as one JSON document or as server-sent
// events.
package usage
