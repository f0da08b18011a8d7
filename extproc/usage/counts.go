// SPDX-License-Identifier: Apache-2.0

package usage

import "github.com/tars-operator/tars-operator/extproc/jsonscan"

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
	// Total is Input + Output, or the provider's own total where that is more.
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
	promptWrittenTokens
	inputWrittenTokens
	completionReasoningTokens
	outputReasoningTokens
	hostedInputTokens // of tools that the provider runs, beside the model's
	hostedOutputTokens
	fields
)

// turnFields is how many fields a turn has: those from inputTokens on.
const turnFields = 4

// numbers are the fields of usage blocks seen so far. A later block replaces
// the fields that it holds: Anthropic spreads them over two events, and some
// providers send running totals.
type numbers struct {
	known  bool
	seen   [fields]bool
	values [fields]int64
	turns  [turnFields]int64 // sums over the turns of the block that is open
}

func (n *numbers) set(f field, value int64) {
	n.seen[f], n.values[f] = true, value
}

// tell takes the number of a place.
func (n *numbers) tell(id int, value int64) {
	n.known = true
	if id >= idTurn {
		sum := &n.turns[field(id-idTurn)-inputTokens]
		*sum = min(*sum+value, jsonscan.MaxCount)
		return
	}
	n.set(field(id-idField), value)
}

// mergeHosted takes what is told of tools alone: it is no usage.
func (n *numbers) mergeHosted(later *numbers) {
	for f := hostedInputTokens; f <= hostedOutputTokens; f++ {
		if later.values[f] > 0 {
			n.set(f, later.values[f])
		}
	}
}

func (n *numbers) merge(later *numbers) {
	n.known = n.known || later.known
	for f, seen := range later.seen {
		// A zero after a number is what a provider puts where it has nothing to tell.
		if seen && (later.values[f] > 0 || !n.seen[f]) {
			n.set(field(f), later.values[f])
		}
	}
}

// addTurns takes the turns in where they tell more: Anthropic's figures of a message
// leave out what compaction and an advisor took ("iterations").
func (n *numbers) addTurns() {
	for i, sum := range n.turns {
		if f := inputTokens + field(i); sum > n.values[f] {
			n.set(f, sum)
		}
	}
	n.turns = [turnFields]int64{}
}

// first is the value of the first field that says something, and whether one of them
// was told. Some providers tell both vocabularies, and one of them with zeros.
func (n *numbers) first(of ...field) (value int64, seen bool) {
	for _, f := range of {
		if seen = seen || n.seen[f]; n.values[f] > 0 {
			return n.values[f], true
		}
	}
	return 0, seen
}

// input is everything the model read. Anthropic's input_tokens leaves both cache figures
// out; those of OpenAI's responses have the cached part among their details or, as the
// total shows, inside.
func (n *numbers) input(output int64) (input int64, seen bool) {
	input, seen = n.first(promptTokens, inputTokens)
	if n.values[promptTokens] > 0 || n.seen[inputCachedTokens] || n.seen[inputWrittenTokens] {
		return input, seen
	}
	all := input + n.values[cacheReadTokens] + n.values[cacheCreationTokens]
	if n.seen[totalTokens] && all+output > n.values[totalTokens] {
		return input, seen
	}
	return all, seen
}

// endInput has what was told of the input, or in total, be all that there is.
func (n *numbers) endInput() {
	if _, told := n.first(promptTokens, inputTokens); !told && n.seen[totalTokens] {
		n.set(promptTokens, n.values[totalTokens])
	} else if !told {
		return
	}
	if _, told := n.first(completionTokens, outputTokens); !told {
		n.set(completionTokens, 0)
	}
}

// hosted are the tokens of tools that the provider ran, beside the model's.
func (n *numbers) hosted() (input, output int64) {
	return n.values[hostedInputTokens], n.values[hostedOutputTokens]
}

func (c *Counts) add(input, output int64) {
	c.Input, c.Output, c.Total = c.Input+input, c.Output+output, c.Total+input+output
}

// own are the model's.
func (n *numbers) own() Counts {
	output, outputSeen := n.first(completionTokens, outputTokens)
	input, inputSeen := n.input(output)
	reasoning, _ := n.first(completionReasoningTokens, outputReasoningTokens)
	if total := n.values[totalTokens]; n.seen[totalTokens] {
		switch {
		case inputSeen && !outputSeen && total >= input:
			output, outputSeen = total-input, true
		case outputSeen && !inputSeen && total >= output:
			input, inputSeen = total-output, true
		case inputSeen && outputSeen && total > input+output:
			output = total - input // some providers tell reasoning beside the output, or in the total alone
		}
	}
	c := Counts{
		// Half of it would pass for all.
		Known:     n.known && inputSeen && outputSeen,
		Input:     input,
		Output:    output,
		Total:     max(n.values[totalTokens], input+output),
		Reasoning: reasoning,
	}
	c.CachedInput, _ = n.first(promptCachedTokens, inputCachedTokens, cacheReadTokens)
	c.CacheCreation, _ = n.first(promptWrittenTokens, inputWrittenTokens, cacheCreationTokens)
	return c
}
