// SPDX-License-Identifier: Apache-2.0

package sse_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/sse"
)

func TestSSE(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/sse")
}

// collector is a Sink that keeps what a client would see.
type collector struct {
	current string
	events  []string
}

func (c *collector) Data(p []byte) { c.current += string(p) }

func (c *collector) Event() {
	c.events = append(c.events, c.current)
	c.current = ""
}

// read feeds the pieces and returns the events, and the stream cut into its
// blocks by the marks.
func read(pieces ...string) (events, blocks []string) {
	c := &collector{}
	r := sse.New(c)
	block := ""
	for _, piece := range pieces {
		for len(piece) > 0 {
			n, mark := r.Next([]byte(piece))
			switch mark {
			case sse.Part:
				block += piece[:n]
			case sse.End:
				blocks = append(blocks, block+piece[:n])
				block = ""
			case sse.Tail:
				blocks[len(blocks)-1] += piece[:n]
			}
			piece = piece[n:]
		}
	}
	r.Close()
	if block != "" {
		blocks = append(blocks, block)
	}
	return c.events, blocks
}

// everyCut calls f with the text in one piece, in two pieces cut anywhere,
// and byte by byte.
func everyCut(text string, f func(pieces ...string)) {
	f(text)
	for i := range len(text) {
		f(text[:i], text[i:])
	}
	f(strings.Split(text, "")...)
}

var _ = Describe("Reader", func() {
	DescribeTable("reads events under every cut",
		func(stream string, events, blocks []string) {
			everyCut(stream, func(pieces ...string) {
				gotEvents, gotBlocks := read(pieces...)
				Expect(gotEvents).To(Equal(events), "events of %q", pieces)
				Expect(gotBlocks).To(Equal(blocks), "blocks of %q", pieces)
			})
		},
		Entry("line feeds", "data: a\n\ndata: b\n\n", []string{"a", "b"}, []string{"data: a\n\n", "data: b\n\n"}),
		Entry("CR LF", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"a", "b"}, []string{"data: a\r\n\r\n", "data: b\r\n\r\n"}),
		Entry("CR alone", "data: a\r\rdata: b\r\r", []string{"a", "b"}, []string{"data: a\r\r", "data: b\r\r"}),
		Entry("mixed", "data: a\n\r\ndata: b\r\n\ndata: c\r\ndata: d\r\n\r\n",
			[]string{"a", "b", "c\nd"}, []string{"data: a\n\r\n", "data: b\r\n\n", "data: c\r\ndata: d\r\n\r\n"}),
		Entry("no space, two spaces", "data:a\n\ndata:  b\n\n", []string{"a", " b"}, []string{"data:a\n\n", "data:  b\n\n"}),
		Entry("several lines", "data: {\ndata: }\n\n", []string{"{\n}"}, []string{"data: {\ndata: }\n\n"}),
		Entry("empty data, with and without colon", "data:\n\ndata\ndata\n\n", []string{"", "\n"}, []string{"data:\n\n", "data\ndata\n\n"}),
		Entry("other fields", "event: x\nid: 1\ndata: a\nretry: 5\ndatas: no\ndat: no\nxdata: no\n\n",
			[]string{"a"}, []string{"event: x\nid: 1\ndata: a\nretry: 5\ndatas: no\ndat: no\nxdata: no\n\n"}),
		Entry("comments", ": ping\n\n: x\ndata: a\n: y\n\n", []string{"a"}, []string{": ping\n\n", ": x\ndata: a\n: y\n\n"}),
		Entry("empty lines", "\n\n\ndata: a\n\n", []string{"a"}, []string{"\n", "\n", "\n", "data: a\n\n"}),
		Entry("byte order mark", "\xef\xbb\xbfdata: a\n\n", []string{"a"}, []string{"\xef\xbb\xbfdata: a\n\n"}),
		Entry("half a byte order mark", "\xef\xbbdata: a\n\ndata: b\n\n", []string{"b"}, []string{"\xef\xbbdata: a\n\n", "data: b\n\n"}),
		Entry("a mark later is no mark", "\n\xef\xbb\xbfdata: a\n\n", nil, []string{"\n", "\xef\xbb\xbfdata: a\n\n"}),
		Entry("the end is missing", "data: a\n\ndata: b", []string{"a", "b"}, []string{"data: a\n\n", "data: b"}),
		Entry("a colon in the data", "data: a: b\n\n", []string{"a: b"}, []string{"data: a: b\n\n"}),
		Entry("nothing", "", nil, nil),
	)
})

// FuzzReader holds the Reader against a reading of the whole text at once.
func FuzzReader(f *testing.F) {
	for _, text := range []string{"data: a\r\n\r\ndata: b\r\r\ndata:c\n\n", "\xef\xbb\xbfdata\rdata: x\n\n", ": c\n\ndata: 1", "\r\n\r\r\n\n"} {
		f.Add(text, uint64(2))
	}
	for n := 500; n < 520; n++ { // at the end of the reader's window
		f.Add("data: "+strings.Repeat("a", n)+"\n\ndata: "+strings.Repeat("b", n)+"\r\rdata: c\r\n\r\n", uint64(2))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		want := naive(text)
		whole, ends := read(text)
		cuts := [][]string{{text}, cut(text, seed)}
		for i := range min(len(text), 100) {
			cuts = append(cuts, []string{text[:i], text[i:]})
		}
		for _, pieces := range cuts {
			events, blocks := read(pieces...)
			if !slices.Equal(events, want) || !slices.Equal(events, whole) {
				t.Fatalf("%q: events %q, want %q", pieces, events, want)
			}
			if !slices.Equal(blocks, ends) {
				t.Fatalf("%q: blocks %q, want %q", pieces, blocks, ends)
			}
		}
		if strings.Join(ends, "") != text {
			t.Fatalf("%q: blocks %q", text, ends)
		}
	})
}

// cut cuts a text into pieces of 1 to 9 bytes.
func cut(text string, seed uint64) (pieces []string) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for text != "" {
		n := min(1+rng.IntN(9), len(text))
		pieces, text = append(pieces, text[:n]), text[n:]
	}
	return pieces
}

// naive follows the standard's text on the whole stream.
func naive(text string) (events []string) {
	text = strings.TrimPrefix(text, "\xef\xbb\xbf")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	var data []string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		name, value, colon := strings.Cut(line, ":")
		if i == len(lines)-1 && !colon {
			break // a last line that may still become another field
		}
		switch {
		case line == "" && data != nil:
			events = append(events, strings.Join(data, "\n"))
			data = nil
		case line != "" && name == "data":
			data = append(data, strings.TrimPrefix(value, " "))
		}
	}
	if data != nil {
		events = append(events, strings.Join(data, "\n"))
	}
	return events
}
