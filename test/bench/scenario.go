// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"
)

// askedModel is on the allow-list of ours, and what the stand-in answers with.
const askedModel = "gpt-4o-mini"

// scenario is a load.
type scenario struct {
	// Name is how results call it.
	Name string
	// Body is the request's length in bytes.
	Body int
	// Clients is the number of connections, each with one request at a time.
	Clients int
	// Rate is the number of requests a second that are begun whatever happens to
	// those before (open loop); 0: each client begins the next when one ends.
	Rate int
	// Chunks is the number of pieces of a streamed answer, Gap the pause before
	// each; 0 chunks: no stream.
	Chunks int
	Gap    time.Duration
	// Short tells that the short form has it too.
	Short bool
}

const (
	kilo = 1000
	mega = 1000 * 1000
)

// scenarios are what is measured. Large bodies have fewer clients: ours holds a
// body until it knows its model, and refuses what does not fit into 40 % of its
// memory limit of 256 MiB. They come last, because memory that a process has taken
// for them stays for a while: it would be in the peaks of the loads after them.
func scenarios() []scenario {
	return []scenario{
		{Name: "100 B, 1 client", Body: 100, Clients: 1, Short: true},
		{Name: "100 B, 32 clients", Body: 100, Clients: 32, Short: true},
		{Name: "100 B, 256 clients", Body: 100, Clients: 256},
		{Name: "SSE of 100, 1 client", Body: 100, Clients: 1, Chunks: 100},
		{Name: "SSE of 100, 8 clients", Body: 100, Clients: 8, Chunks: 100, Short: true},
		{Name: "SSE of 100, 32 clients", Body: 100, Clients: 32, Chunks: 100},
		{Name: "SSE of 100, 256 clients", Body: 100, Clients: 256, Chunks: 100},
		{Name: "SSE of 1,000, 1 client", Body: 100, Clients: 1, Chunks: 1000},
		{Name: "SSE of 1,000, 32 clients", Body: 100, Clients: 32, Chunks: 1000},
		{Name: "SSE of 1,000, 256 clients", Body: 100, Clients: 256, Chunks: 1000},
		{Name: "100 B, 300 a second", Body: 100, Clients: 64, Rate: 300, Short: true},
		{Name: "SSE of 100 with gaps of 5 ms, 20 a second", Body: 100, Clients: 64, Rate: 20, Chunks: 100, Gap: 5 * time.Millisecond},
		{Name: "100 kB, 1 client", Body: 100 * kilo, Clients: 1},
		{Name: "100 kB, 8 clients", Body: 100 * kilo, Clients: 8, Short: true},
		{Name: "100 kB, 32 clients", Body: 100 * kilo, Clients: 32},
		{Name: "100 kB, 256 clients", Body: 100 * kilo, Clients: 256},
		{Name: "1 MB, 1 client", Body: mega, Clients: 1},
		{Name: "1 MB, 4 clients", Body: mega, Clients: 4, Short: true},
		{Name: "1 MB, 32 clients", Body: mega, Clients: 32},
		{Name: "20 MB, 1 client", Body: 20 * mega, Clients: 1},
	}
}

// body is the request's: the model comes after the messages, as SDKs send it.
func (s scenario) body() string {
	const begin = `{"messages":[{"role":"user","content":"`
	end := `"}],"model":"` + askedModel + `"}`
	if s.Chunks > 0 {
		end = `"}],"model":"` + askedModel + `","stream":true}`
	}
	const sentence = `The quick brown fox jumps over the lazy dog.\n`
	room := max(0, s.Body-len(begin)-len(end))
	return begin + strings.Repeat(sentence, room/len(sentence)) + strings.Repeat(".", room%len(sentence)) + end
}

// request is the request's bytes. The floor has no ext_proc that lets it pass.
func (s scenario) request(v variant) []byte {
	body := s.body()
	var b strings.Builder
	fmt.Fprintf(&b, "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.example.com\r\nuser-agent: bench\r\n"+
		"accept: application/json\r\ncontent-type: application/json\r\nauthorization: Bearer of-the-client\r\ncontent-length: %d\r\n", len(body))
	if s.Chunks > 0 {
		fmt.Fprintf(&b, "x-fake-chunks: %d\r\nx-fake-gap: %s\r\n", s.Chunks, s.Gap)
	}
	if v != ours && v != before {
		fmt.Fprintf(&b, "x-tarsbackend-pass: %s\r\n", passToken)
	}
	b.WriteString("\r\n")
	b.WriteString(body)
	return []byte(b.String())
}
