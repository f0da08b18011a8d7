// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
)

// comment comes before each event when comments are wished for.
const comment = ": tarsfake is processing"

// stream sends an answer event by event.
func (x *exchange) stream(answer reply.Answer) error {
	if x.b.Cut.Where == behaviour.CutBytes {
		x.out.limit = x.b.Cut.Bytes
	}
	x.w.Header().Set("cache-control", "no-cache")
	x.begin(http.StatusOK, streamType)
	if err := x.out.flush(); err != nil {
		return err
	}
	var to io.Writer = x.out
	if x.compresses() {
		to = gzip.NewWriter(x.out)
	}
	s := &streaming{exchange: x, answer: answer, to: to}
	return s.run()
}

// streaming is a stream on its way.
type streaming struct {
	*exchange
	answer reply.Answer
	to     io.Writer
	// pieces of content were sent.
	pieces int
	// usageSent is what the ledger says.
	usageSent bool
}

func (s *streaming) run() error {
	breakAfter, breaks := s.b.Breaks()
	for event, err := range s.answer.Events() {
		if err != nil {
			return fmt.Errorf("rendering an event: %w", err)
		}
		if breaks && s.pieces >= min(breakAfter, len(s.answer.Pieces)) {
			return s.breakOff()
		}
		if event.Content {
			if err := s.beforePiece(); err != nil {
				return err
			}
			s.pieces++
		}
		if err := s.send(event); err != nil {
			return err
		}
	}
	return nil
}

// beforePiece is what may happen before a piece of content.
func (s *streaming) beforePiece() error {
	if s.b.Cut.Where == behaviour.CutHalf && s.pieces == len(s.answer.Pieces)/2 {
		return errCut
	}
	if s.b.Stall > 0 && s.pieces == s.b.StallAfter {
		if err := s.out.wait(s.b.Stall); err != nil {
			return err
		}
	}
	return s.out.wait(s.b.Gap)
}

// breakOff ends the stream with an error.
func (s *streaming) breakOff() error {
	anthropic := s.kind == reply.Messages
	data, err := s.b.BreakDocument(anthropic)
	if err != nil {
		return fmt.Errorf("rendering an error: %w", err)
	}
	event := reply.Event{Data: data, Last: true}
	if anthropic {
		event.Name = "error"
	}
	return s.send(event)
}

// send writes one event. As with documents, the ledger knows before.
func (s *streaming) send(event reply.Event) error {
	before := s.usageSent
	s.usageSent = before || event.Usage
	s.expect(s.usageSent, event.Last)
	if err := s.write(event); err != nil {
		s.expect(before, false)
		return err
	}
	s.record.Update(func(e *ledger.Entry) { e.Chunks++ })
	return nil
}

func (s *streaming) write(event reply.Event) error {
	if _, err := s.to.Write(s.rendered(event)); err != nil {
		return err
	}
	if zipped, ok := s.to.(*gzip.Writer); ok {
		// The last event and the end of the compression go out together.
		end := zipped.Flush
		if event.Last {
			end = zipped.Close
		}
		if err := end(); err != nil {
			return err
		}
	}
	return s.out.flush()
}

// rendered is the event in the form of server-sent events.
func (s *streaming) rendered(event reply.Event) []byte {
	var text bytes.Buffer
	line := func(parts ...string) {
		for _, part := range parts {
			text.WriteString(part)
		}
		text.WriteString(s.b.EOL)
	}
	if s.b.Comments {
		line(comment)
		line()
	}
	if event.Name != "" {
		line("event: ", event.Name)
	}
	for part := range strings.SplitSeq(string(event.Data), "\n") {
		line("data: ", part)
	}
	line()
	return text.Bytes()
}
