// SPDX-License-Identifier: Apache-2.0

package usage

// Counts are the tokens of one request, in tokens. The zero value means that
// nothing is known yet.
type Counts struct {
	// Known is set once the provider has told what the request costs.
	Known bool
	// Estimated is set, and Known is not, where the provider has not and a
	// model may have run: the counts are then ours, see Tally.Estimate.
	Estimated bool
	// Input is everything the model read, cached parts included.
	Input int64
	// Output is everything the model wrote, reasoning included.
	Output int64
	// Total is the provider's own total, or Input + Output.
	Total int64
	// CachedInput is the part of Input that was read from a cache.
	CachedInput int64
	// CacheCreation is the part of Input that was written to a cache.
	CacheCreation int64
	// Reasoning is the part of Output that is reasoning.
	Reasoning int64
}

// field is one number of a usage block.
type field int

const (
	promptTokens field = iota
	completionTokens
	totalTokens
	inputTokens
	outputTokens
	cacheReadTokens
	cacheCreationTokens
	promptCachedTokens
	inputCachedTokens
	completionReasoningTokens
	outputReasoningTokens
	fields
)

// numbers are the fields of usage blocks seen so far. A later block replaces
// the fields that it holds: Anthropic spreads them over two events, and some
// providers send running totals.
type numbers struct {
	known  bool
	final  bool // not only what was known when the answer began
	seen   [fields]bool
	values [fields]int64
}

func (n *numbers) set(f field, value int64) {
	n.seen[f], n.values[f] = true, value
}

func (n *numbers) merge(later *numbers) {
	n.known = n.known || later.known
	n.final = n.final || later.final
	for f, seen := range later.seen {
		if seen {
			n.set(field(f), later.values[f])
		}
	}
}

func (n *numbers) first(a, b field) int64 {
	if n.seen[a] {
		return n.values[a]
	}
	return n.values[b]
}

func (n *numbers) counts() Counts {
	c := Counts{
		Known:         n.known && n.final,
		Input:         n.values[promptTokens],
		Output:        n.first(completionTokens, outputTokens),
		CacheCreation: n.values[cacheCreationTokens],
		CachedInput:   n.first(promptCachedTokens, inputCachedTokens) + n.values[cacheReadTokens],
		Reasoning:     n.first(completionReasoningTokens, outputReasoningTokens),
	}
	if !n.seen[promptTokens] {
		// Anthropic's input_tokens leaves both cache figures out; OpenAI's
		// responses have neither.
		c.Input = n.values[inputTokens] + n.values[cacheReadTokens] + n.values[cacheCreationTokens]
	}
	c.Total = c.Input + c.Output
	if n.seen[totalTokens] {
		c.Total = n.values[totalTokens]
	}
	return c
}
