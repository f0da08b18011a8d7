// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

// exchange is a request for a model with its answer, and where in the answer's
// bytes something is told. An offset of -1: never.
type exchange struct {
	rng  *rand.Rand
	path string

	request, answer string
	contentType     string
	status          int
	local           string // Envoy's details of an answer of its own
	early           bool   // which comes before the request has ended
	compressed      bool

	prompt  int64 // tokens of the prompt by the estimate
	counts  usage.Counts
	final   int      // where the counts are told
	start   int      // where a stream of messages tells its first counts
	begun   [2]int64 // input and output of those
	failure int      // where an error inside a 200 ends
	written []mark   // the text of the model
}

// mark is a string of the model: its size, and the offset behind it.
type mark struct{ size, end int }

var apis = []string{chatPath, "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"}

// newExchange makes up a request and its answer.
func newExchange(rng *rand.Rand) *exchange {
	e := &exchange{rng: rng, path: apis[rng.IntN(len(apis))], status: 200, final: -1, start: -1, failure: -1}
	stream := rng.IntN(3) > 0 && e.path != "/v1/embeddings"
	e.ask(stream)
	e.counts = usage.Counts{Known: true, Input: rng.Int64N(5000), Output: rng.Int64N(5000)}
	if e.path == "/v1/embeddings" {
		e.counts.Output = 0
	}
	e.counts.Total = e.counts.Input + e.counts.Output
	switch rng.IntN(12) {
	case 0:
		e.status, e.contentType, e.answer = []int{400, 401, 402, 429, 500, 503}[rng.IntN(6)], jsonType, `{"error":{"code":7}}`
	case 1:
		e.contentType, e.answer = jsonType, `{"error":{"code":402}}`
		e.failure = len(e.answer)
	case 2:
		e.status, e.contentType, e.answer = 503, "text/plain", "upstream connect error"
		e.local = []string{"no_healthy_upstream", "response_timeout", "stream_idle_timeout", "upstream_reset_before_response_started{connection_termination}",
			"upstream_reset_before_response_started{remote_connection_failure}", "rate_limited"}[rng.IntN(6)]
		e.early = rng.IntN(2) == 0
	default:
		if stream {
			e.contentType = streamType
			e.streamed()
		} else {
			e.contentType = jsonType
			e.whole()
		}
		e.compressed = rng.IntN(20) == 0
	}
	return e
}

// text is some text, its size, and how many tokens that makes.
func (e *exchange) text() string { return strings.Repeat("word", e.rng.IntN(30)) + "x" }

func tokens(size int) int64 { return int64(size+3) / 4 }

// ask makes up the request's body.
func (e *exchange) ask(stream bool) {
	prompt := e.text()
	e.prompt = tokens(len(prompt))
	fields := []string{`"model":"gpt"`, fmt.Sprintf(`"stream":%v`, stream)}
	switch e.path {
	case chatPath, "/v1/messages":
		fields = append(fields, fmt.Sprintf(`"messages":[{"role":"user","content":[{"type":"text","text":%q},{"type":"image_url","image_url":{"url":"data:AAAA"}}]}]`, prompt))
	case "/v1/completions":
		fields = append(fields, fmt.Sprintf(`"prompt":[%q]`, prompt))
	default:
		fields = append(fields, fmt.Sprintf(`"input":%q`, prompt))
	}
	if stream && e.rng.IntN(2) == 0 {
		fields = append(fields, `"stream_options":{"include_usage":true}`)
	}
	e.rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	e.request = "{" + strings.Join(fields, ",") + "}"
}

// usage is a block of counts in the words of the API.
func (e *exchange) usage(input, output int64) string {
	switch e.path {
	case "/v1/responses":
		return fmt.Sprintf(`{"input_tokens":%d,"output_tokens":%d,"total_tokens":%d}`, input, output, input+output)
	case "/v1/messages":
		cached := input / 3
		return fmt.Sprintf(`{"input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":%d}`, input-cached, cached, output)
	default:
		return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, input, output, input+output)
	}
}

// write adds to the answer and returns the offset behind what it added.
func (e *exchange) write(text string) int {
	e.answer += text
	return len(e.answer)
}

// say adds text of the model.
func (e *exchange) say(text string) {
	quoted := strconv.Quote(text) // what it quotes here, JSON quotes the same
	e.written = append(e.written, mark{len(quoted) - 2, e.write(quoted)})
}

// whole makes up an answer in one piece. Its counts count once the document is
// whole.
func (e *exchange) whole() {
	told := e.rng.IntN(5) > 0
	counts := `,"usage":` + e.usage(e.counts.Input, e.counts.Output)
	if !told {
		counts = []string{``, `,"usage":null`, `,"usage":{}`}[e.rng.IntN(3)]
	}
	first := e.rng.IntN(2) == 0
	e.write(`{"model":"gpt-1"`)
	if first {
		e.write(counts)
	}
	switch e.path {
	case chatPath:
		e.write(`,"choices":[{"message":{"content":`)
		e.say(e.text())
		e.write(`}}]`)
	case "/v1/completions":
		e.write(`,"choices":[{"text":`)
		e.say(e.text())
		e.write(`}]`)
	case "/v1/responses":
		e.write(`,"output":[{"type":"message","content":[{"type":"output_text","text":`)
		e.say(e.text())
		e.write(`}]},{"type":"function_call","arguments":`)
		e.say(`{"a":1}`)
		e.write(`}]`)
	case "/v1/messages":
		e.write(`,"content":[{"type":"text","text":`)
		e.say(e.text())
		e.write(`}]`)
	default:
		e.write(`,"data":[{"embedding":[0.5,-1]}]`)
	}
	if !first {
		e.write(counts)
	}
	if end := e.write("}"); told {
		e.final = end
	}
}

// event writes an event; the inner function writes its data.
func (e *exchange) event(data func()) (end int) {
	eol := e.eol()
	if e.rng.IntN(3) == 0 {
		e.write(": comment" + eol)
	}
	if e.rng.IntN(3) == 0 {
		e.write("event: x" + eol)
	}
	e.write([]string{"data: ", "data:"}[e.rng.IntN(2)])
	if e.rng.IntN(4) == 0 {
		e.write(eol + "data:") // the data's first line is empty
	}
	data()
	end = len(e.answer)
	e.write(eol + eol)
	return end
}

func (e *exchange) eol() string { return []string{"\n", "\r\n", "\r"}[e.rng.IntN(3)] }

// streamed makes up an answer as server-sent events.
func (e *exchange) streamed() {
	told, fails := e.rng.IntN(5) > 0, e.rng.IntN(8) == 0
	place := e.rng.IntN(3)
	if e.path == "/v1/messages" && told && place < 2 {
		e.begun = [2]int64{e.counts.Input, 1}
		e.start = e.event(func() {
			e.write(`{"type":"message_start","message":{"model":"gpt-1","usage":` + e.usage(e.begun[0], e.begun[1]) + `}}`)
		})
		if place == 1 { // nothing follows
			e.counts.Output, e.counts.Total = 1, e.counts.Input+1
		}
	}
	for range e.rng.IntN(6) {
		before, after := e.delta()
		e.event(func() {
			e.write(before)
			e.say(e.text())
			e.write(after)
		})
	}
	if fails {
		e.failure = e.event(func() { e.write(`{"type":"error","error":{"type":"server_error"}}`) })
		return
	}
	if told && e.start < 0 || told && place == 0 {
		e.final = e.event(func() { e.write(e.lastCounts()) })
	}
	if e.path == chatPath || e.path == "/v1/completions" {
		e.event(func() { e.write("[DONE]") })
	}
}

// delta is what is around the text of an event.
func (e *exchange) delta() (before, after string) {
	switch e.path {
	case chatPath:
		if e.rng.IntN(3) == 0 {
			return `{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":`, `}}]}}],"usage":null}`
		}
		return `{"choices":[{"delta":{"content":`, `}}]}`
	case "/v1/completions":
		return `{"choices":[{"text":`, `}]}`
	case "/v1/responses":
		return `{"type":"response.output_text.delta","delta":`, `}`
	default:
		key := []string{"text", "partial_json", "thinking"}[e.rng.IntN(3)]
		return `{"type":"content_block_delta","index":0,"delta":{"` + key + `":`, `}}`
	}
}

func (e *exchange) lastCounts() string {
	counts := e.usage(e.counts.Input, e.counts.Output)
	switch e.path {
	case "/v1/responses":
		return `{"type":"response.completed","response":{"model":"gpt-1","usage":` + counts + `}}`
	case "/v1/messages":
		return `{"type":"message_delta","delta":{},"usage":` + counts + `}`
	default:
		return `{"model":"gpt-1","choices":[],"usage":` + counts + `}`
	}
}

// messages are those of Envoy, the bodies cut anywhere.
func (e *exchange) messages() []*extprocv3.ProcessingRequest {
	all := []*extprocv3.ProcessingRequest{post(e.path)}
	request := e.pieces(e.request, requestBody, true)
	headers := []string{"content-type", e.contentType}
	if e.compressed {
		headers = append(headers, "content-encoding", "gzip")
	}
	trailers := e.rng.IntN(5) == 0
	answer := append([]*extprocv3.ProcessingRequest{responseHeaders(e.status, false, headers...)}, e.pieces(e.answer, responseBody, !trailers)...)
	if trailers {
		answer = append(answer, responseTrailers("a", "b"))
	}
	if e.local != "" {
		withAttributes(answer[0], "response.code_details", e.local)
		if e.early {
			at := e.rng.IntN(len(request))
			request = append(append(request[:at:at], answer[0]), request[at:]...)
			return append(append(all, request...), answer[1:]...)
		}
	}
	return append(append(all, request...), answer...)
}

// pieces cuts a body; end tells whether its end is marked, with its last bytes
// or after them.
func (e *exchange) pieces(text string, message func(string, bool) *extprocv3.ProcessingRequest, end bool) []*extprocv3.ProcessingRequest {
	most, after := []int{1, 7, 50, 1000}[e.rng.IntN(4)], end && (text == "" || e.rng.IntN(3) == 0)
	var all []*extprocv3.ProcessingRequest
	for text != "" {
		n := min(e.rng.IntN(most+1), len(text))
		text, all = text[n:], append(all, message(text[:n], end && !after && n == len(text)))
	}
	if after {
		all = append(all, message("", true))
	}
	return all
}
