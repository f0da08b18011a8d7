// SPDX-License-Identifier: Apache-2.0

package reply

import (
	"math/rand/v2"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/tokens"
)

// TellsUsage tells whether a usage in the answer has its counts.
func (a Answer) TellsUsage() bool {
	return a.Behaviour.Usage != behaviour.UsageAbsent && a.Behaviour.Usage != behaviour.UsageNull
}

// withUsage adds the field usage to a document.
func (a Answer) withUsage(document map[string]any) map[string]any {
	switch a.Behaviour.Usage {
	case behaviour.UsageAbsent:
	case behaviour.UsageNull:
		document["usage"] = nil
	default:
		document["usage"] = a.usage()
	}
	return document
}

func (a Answer) usage() map[string]any {
	u := a.Usage
	switch a.Request.Kind {
	case Messages:
		return anthropicUsage(u)
	case Responses:
		return map[string]any{
			"input_tokens":          u.Input,
			"input_tokens_details":  map[string]any{"cached_tokens": u.CachedInput},
			"output_tokens":         u.Output,
			"output_tokens_details": map[string]any{"reasoning_tokens": u.Reasoning},
			"total_tokens":          u.Total(),
		}
	case Embeddings:
		return map[string]any{"prompt_tokens": u.Input, "total_tokens": u.Total()}
	default:
		usage := map[string]any{"prompt_tokens": u.Input, "completion_tokens": u.Output, "total_tokens": u.Total()}
		// Providers leave out details that are 0.
		if u.CachedInput > 0 {
			usage["prompt_tokens_details"] = map[string]any{"cached_tokens": u.CachedInput}
		}
		if u.Reasoning > 0 {
			usage["completion_tokens_details"] = map[string]any{"reasoning_tokens": u.Reasoning}
		}
		return usage
	}
}

// anthropicUsage has the cached tokens beside the input, not in it.
func anthropicUsage(u tokens.Usage) map[string]any {
	return map[string]any{
		"input_tokens":                u.Input - u.CachedInput - u.CacheCreation,
		"cache_read_input_tokens":     u.CachedInput,
		"cache_creation_input_tokens": u.CacheCreation,
		"output_tokens":               u.Output,
	}
}

// anthropicCounts are the counts of a stream's first and last event that has
// any. Together, later ones before earlier ones, they are the usage.
func (a Answer) anthropicCounts() (start, delta map[string]any) {
	place := a.Behaviour.AnthropicUsage
	if place == "" {
		places := []string{behaviour.OnStart, behaviour.OnDelta, behaviour.OnBoth}
		place = places[rand.IntN(len(places))]
	}
	all := anthropicUsage(a.Usage)
	switch place {
	case behaviour.OnDelta:
		return map[string]any{"input_tokens": 0, "output_tokens": 0}, all
	case behaviour.OnBoth:
		provisional := a.Usage
		provisional.Input += 1 + rand.Int64N(1000)
		provisional.Output = 1
		return anthropicUsage(provisional), all
	default:
		delta = map[string]any{"output_tokens": all["output_tokens"]}
		all["output_tokens"] = 1
		return all, delta
	}
}
