// SPDX-License-Identifier: Apache-2.0

// Package tokens makes the counts of tokens that the stand-in answers. They
// are random: a reader that gets them right has read them.
package tokens

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Bounds of random counts, in tokens.
const (
	maxInput  = 20000
	maxOutput = 4000
)

// huge is the first whole number that a float64 cannot hold.
const huge = 1<<53 + 1

// Usage are the tokens of one answer.
type Usage struct {
	// Input are all tokens of the prompt, cached ones included.
	Input int64 `json:"input"`
	// CachedInput is the part of Input that was read from a cache.
	CachedInput int64 `json:"cachedInput"`
	// CacheCreation is the part of Input that was written to a cache. Only
	// Anthropic's shape has it.
	CacheCreation int64 `json:"cacheCreation"`
	// Output are all tokens of the answer, those of reasoning included.
	Output int64 `json:"output"`
	// Reasoning is the part of Output that was reasoning.
	Reasoning int64 `json:"reasoning"`
}

// Total is what a provider calls total_tokens.
func (u Usage) Total() int64 { return u.Input + u.Output }

// Add returns the sum of both.
func (u Usage) Add(other Usage) Usage {
	return Usage{
		Input:         u.Input + other.Input,
		CachedInput:   u.CachedInput + other.CachedInput,
		CacheCreation: u.CacheCreation + other.CacheCreation,
		Output:        u.Output + other.Output,
		Reasoning:     u.Reasoning + other.Reasoning,
	}
}

// Shape says which counts an API knows.
type Shape struct {
	// CacheCreation, Reasoning and Output tell whether it has these counts.
	CacheCreation, Reasoning, Output bool
}

// Random makes up the tokens of an answer; half of the answers have cached
// tokens, half of them reasoning.
func Random(shape Shape) Usage {
	u := Usage{Input: 1 + rand.Int64N(maxInput)}
	if shape.Output {
		u.Output = 1 + rand.Int64N(maxOutput)
		if sometimes() {
			u.CachedInput = rand.Int64N(u.Input + 1)
		}
	}
	if shape.CacheCreation && sometimes() {
		u.CacheCreation = rand.Int64N(u.Input - u.CachedInput + 1)
	}
	if shape.Reasoning && sometimes() {
		u.Reasoning = rand.Int64N(u.Output + 1)
	}
	return u
}

// Huge has counts that a float64 rounds and 32 bits do not hold.
func Huge(shape Shape) Usage {
	u := Usage{Input: huge}
	if shape.Output {
		u.Output = huge
	}
	return u
}

// Parse reads "<input>,<output>[,<cached input>[,<reasoning>[,<cache creation>]]]".
func Parse(text string) (Usage, error) {
	fields := strings.Split(text, ",")
	if len(fields) < 2 || len(fields) > 5 {
		return Usage{}, fmt.Errorf("%q is not <input>,<output>[,<cached input>[,<reasoning>[,<cache creation>]]]", text)
	}
	counts := make([]int64, 5)
	for i, field := range fields {
		count, err := strconv.ParseInt(strings.TrimSpace(field), 10, 63)
		if err != nil || count < 0 {
			return Usage{}, fmt.Errorf("%q is not a count of tokens", field)
		}
		counts[i] = count
	}
	u := Usage{Input: counts[0], Output: counts[1], CachedInput: counts[2], Reasoning: counts[3], CacheCreation: counts[4]}
	if u.CachedInput+u.CacheCreation > u.Input || u.Reasoning > u.Output {
		return Usage{}, fmt.Errorf("%q: cached tokens are part of the input, reasoning is part of the output", text)
	}
	return u, nil
}

func sometimes() bool { return rand.IntN(2) == 0 }
