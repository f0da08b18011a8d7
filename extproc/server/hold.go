// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/tars-operator/tars-operator/extproc/apierror"
	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/jsonscan"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/usage"
	"github.com/tars-operator/tars-operator/extproc/wire"
)

// heldBody is a body of which the model is not known yet. It is scanned as
// it comes, so that a refusal does not wait for its end.
type heldBody struct {
	remove   []string // headers of ours that the client sent
	buffer   *memory.Buffer
	fields   bodyFields
	scanner  *jsonscan.Scanner
	timer    *time.Timer
	progress time.Time // when the last byte came
}

// hold begins to hold the request.
func (s *session) hold(h headers) {
	held := &heldBody{remove: h.ours(), buffer: memory.NewBuffer(s.proc.budget)}
	held.scanner = jsonscan.New(requestPlaces, &held.fields)
	held.progress = time.Now()
	held.timer = time.AfterFunc(s.proc.holdTimeout, s.expire)
	s.held = held
	if length, err := strconv.ParseInt(h.get("content-length"), 10, 64); err == nil && length > 0 {
		s.stream.Expect(length)
	}
}

// patience is how long the rest of a held body may stay away: some time without a byte,
// and a large one as a whole no longer than it takes at minRate.
func (s *session) patience() time.Duration {
	left := s.proc.holdTimeout - time.Since(s.held.progress)
	if s.received > slowBytes {
		inAll := s.proc.holdTimeout + time.Duration(s.received/minRate)*time.Second
		left = min(left, inAll-time.Since(s.began))
	}
	return left
}

// expire answers a client that has stopped sending, or as good as.
func (s *session) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The timer may have fired while a piece was on its way.
	if s.closed || s.held == nil || s.patience() > 0 {
		return
	}
	e := apierror.BodyTimeout(s.proc.holdTimeout)
	if time.Since(s.held.progress) < s.proc.holdTimeout {
		e = apierror.BodyTooSlow(s.received, time.Since(s.began))
	}
	if err := s.refuse(e); err != nil {
		s.proc.log.V(1).Info("could not answer a request whose body stopped", "error", err.Error())
	}
}

// holdBody takes the next piece of a held body.
func (s *session) holdBody(m *wire.Request) error {
	if s.held == nil {
		return unexpected("request body")
	}
	if e := s.keep(m); e != nil {
		return s.refuse(e)
	}
	if m.End {
		return s.endHeld()
	}
	return nil
}

func (s *session) keep(m *wire.Request) *apierror.Error {
	p := m.Body
	if len(p) == 0 {
		return nil
	}
	held := s.held
	held.progress = time.Now()
	held.timer.Reset(s.patience())
	if s.received > s.route.MaxRequestBytes {
		return apierror.TooLarge(s.route.MaxRequestBytes)
	}
	if err := held.scanner.Write(p); err != nil {
		return apierror.InvalidJSON(err.Error())
	}
	if held.buffer.Append(own(m)) != nil {
		return apierror.Overloaded()
	}
	return nil
}

// endHeld decides about a held request at its end, and lets it go.
func (s *session) endHeld() error {
	held := s.held
	splices, e := s.decide(held)
	if e != nil {
		return s.refuse(e)
	}
	held.timer.Stop()
	s.in, s.prompt = ended, held.fields.prompt.Tokens()
	err := s.send(s.passOn(held.remove,
		header{Name: config.HeaderModel, Value: s.req.model}, header{Name: "accept-encoding", Value: "identity"}))
	if err != nil {
		return err
	}
	s.sending = &outgoing{buffer: held.buffer, splices: splices}
	s.held = nil
	return s.sendHeld()
}

// Sent implements transport.Handler.
func (s *session) Sent() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sendHeld()
}

// sendHeld sends as much of a held body as the connection has room for. What it
// has none for stays where it counts against the budget.
func (s *session) sendHeld() error {
	for s.sending != nil && s.stream.Room() {
		piece, last := s.sending.next()
		s.forwarded = last // for the metadata of this very piece
		if err := s.send(requestPiece(piece, last)); err != nil {
			s.forwarded = false
			return err
		}
		if last {
			s.release()
		}
	}
	return nil
}

// decide applies the policy to a whole body.
func (s *session) decide(held *heldBody) ([]splicing, *apierror.Error) {
	if err := held.scanner.Close(); err != nil {
		return nil, apierror.InvalidJSON(err.Error())
	}
	f := &held.fields
	switch {
	case f.root.Kind != jsonscan.Object:
		return nil, apierror.InvalidJSON("it is not an object")
	case f.models == 0:
		return nil, apierror.MissingModel()
	case f.models > 1:
		return nil, apierror.Duplicate("model")
	case !f.modelExact:
		return nil, apierror.MissingModel()
	case f.ambiguous != "":
		return nil, apierror.Duplicate(f.ambiguous)
	case f.noBoolean() != "":
		return nil, apierror.NoBoolean(f.noBoolean())
	case !usage.CleanName(f.name):
		return nil, apierror.InvalidModel()
	}
	s.req.asked = f.name // told to access logs of a refusal, too
	model, ok := s.route.models.Resolve(f.name)
	if !ok {
		return nil, apierror.ModelNotFound(f.name, s.route.models.Allowed())
	}
	s.req.model = model
	splices, e := s.others(f)
	if e != nil {
		return nil, e
	}
	if model != f.name {
		splices = append(splices, splicing{f.model.Start, f.model.End, jsonscan.Quote(model)})
	}
	if s.req.target.Operation.StreamUsage {
		if add, ok := f.addUsage(); ok {
			s.req.addedUsage = true
			splices = append(splices, add)
		}
	}
	slices.SortFunc(splices, func(a, b splicing) int { return int(a.start - b.start) })
	return splices, nil
}

// own returns a message's piece of a body for keeping, and the memory that is given up
// with it.
func own(m *wire.Request) (piece, home []byte) {
	if m.Lent {
		return bytes.Clone(m.Body), nil
	}
	m.Kept = true
	return m.Body, m.Text
}
