// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

// cut cuts a text into pieces of 1 to 20 bytes.
func cut(text string, seed uint64) (pieces []string) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for text != "" {
		n := min(1+rng.IntN(20), len(text))
		pieces, text = append(pieces, text[:n]), text[n:]
	}
	return pieces
}

// read is what a client sees of an answer and what is known of it afterwards.
func read(t *testing.T, reader func(*usage.Tally) passer, pieces ...string) (seen string, counts, estimate usage.Counts, model string) {
	t.Helper()
	var tally usage.Tally
	seen = pass(reader(&tally), pieces...)
	counts, estimate = tally.Counts(), tally.Estimate(1)
	for _, n := range []int64{counts.Input, counts.Output, counts.Total, estimate.Input, estimate.Output, estimate.Total} {
		if n < 0 {
			t.Fatalf("%q: %+v, %+v", pieces, counts, estimate)
		}
	}
	return seen, counts, estimate, tally.Model()
}

// FuzzAnswer reads an answer in any pieces: as a whole it says the same, the
// client sees every byte of it, and of a stream that loses its usage chunk
// nothing else is lost.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		stream("\n", delta, usageOnly, done), stream("\r\n", ": ping", delta, usageOnly, done), stream("\r", usageOnly, delta),
		"data: {\"usage\":\ndata: {\"prompt_tokens\":3,\ndata: \"completion_tokens\":4},\"choices\":[]}\n\n", "\xef\xbb\xbf" + stream("\n", usageOnly),
		stream("\n", `data: {"type":"message_start","message":{"model":"c","usage":{"input_tokens":10,"output_tokens":1}}}`, `data: {"type":"content_block_delta","delta":{"text":"a"}}`),
		stream("\n", `data: {"type":"response.completed","response":{"usage":{"input_tokens":1152921504606846976,"output_tokens":1e18}}}`),
		stream("\n", delta, delta, strings.ReplaceAll(delta, "hi", "hello"), strings.ReplaceAll(delta, "m-1", "m-2"), delta, usageOnly),
		"data: " + strings.Join(chunks(`,"usage":null,"obfuscation":"%s"}`, "x", "yy", "zzz", "", "x"), "\n\ndata: ") + "\n\n",
		`{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":3}}`, `{"output":[{"content":[{"text":"hi"}]}],"error":null}`,
	} {
		f.Add(text, uint64(1))
	}
	kinds := []func(*usage.Tally) passer{
		func(t *usage.Tally) passer { return usage.NewBody(t) },
		func(t *usage.Tally) passer { return usage.NewStream(t, false) },
		func(t *usage.Tally) passer { return usage.NewStream(t, true) },
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		for kind, reader := range kinds {
			seen, counts, estimate, model := read(t, reader, text)
			cutSeen, cutCounts, cutEstimate, cutModel := read(t, reader, cut(text, seed)...)
			if cutSeen != seen || cutCounts != counts || cutEstimate != estimate || cutModel != model {
				t.Fatalf("%q in pieces: %q %+v %+v %q, whole: %q %+v %+v %q", text, cutSeen, cutCounts, cutEstimate, cutModel, seen, counts, estimate, model)
			}
			if kind < 2 && seen != text {
				t.Fatalf("%q became %q", text, seen)
			}
			if again, _, _, _ := read(t, kinds[2], seen); kind == 2 && again != seen {
				t.Fatalf("%q became %q, and that %q", text, seen, again)
			}
		}
	})
}
