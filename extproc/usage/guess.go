// SPDX-License-Identifier: Apache-2.0

package usage

import "bytes"

// Guess reads an answer that does not say what it is: as server-sent events where it
// begins like those, else as one JSON document.
type Guess struct {
	tally  *Tally
	strip  bool
	stream *Stream
	body   *Body
}

// NewGuess returns a reader that fills tally. With strip set it takes the usage chunk out
// of a stream.
func NewGuess(tally *Tally, strip bool) *Guess { return &Guess{tally: tally, strip: strip} }

// Streamed tells whether the answer turned out to be server-sent events.
func (g *Guess) Streamed() bool { return g.stream != nil }

// Pass reads p and returns what goes on to the client.
func (g *Guess) Pass(p []byte) []byte {
	switch {
	case len(p) == 0:
		return p
	case g.stream == nil && g.body == nil && beginsStream(p):
		g.stream = NewStream(g.tally, g.strip)
	case g.stream == nil && g.body == nil:
		g.body = NewBody(g.tally)
	}
	if g.stream != nil {
		return g.stream.Pass(p)
	}
	return g.body.Pass(p)
}

// Close reads the end of the answer and returns what was still held.
func (g *Guess) Close() []byte {
	switch {
	case g.stream != nil:
		return g.stream.Close()
	case g.body != nil:
		return g.body.Close()
	default:
		return nil
	}
}

// beginsStream tells whether p may be the begin of server-sent events: a field's name, or a
// comment (WHATWG HTML, section 9.2.6).
func beginsStream(p []byte) bool {
	for _, begin := range []string{"data:", "event:", "id:", "retry:", ":"} {
		n := min(len(begin), len(p))
		if bytes.Equal(p[:n], []byte(begin)[:n]) {
			return true
		}
	}
	return false
}
