// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
)

// Headers of every answer that prove what arrived.
const (
	bodyDigestHeader   = behaviour.Prefix + "body-sha256"
	promptDigestHeader = behaviour.Prefix + "prompt-sha256"
)

// exchange is one request and its answer.
type exchange struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	record *ledger.Record
	who    identity
	// b is normal until the wishes are read.
	b   behaviour.Behaviour
	out *sink
	// begun tells whether headers were written.
	begun bool

	// kind is the API, priced whether it has a model and a price. request is
	// what the body asks for, or malformed why it cannot be told.
	kind      reply.Kind
	priced    bool
	request   reply.Request
	malformed error
}

// serveAPI serves both ports of the API.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	x := &exchange{
		server: s, w: w, r: r, record: s.Ledger.Begin(newEntry(r)), who: s.identify(r), b: behaviour.Normal(),
		out: &sink{ctx: r.Context(), closing: s.closing, w: w, control: http.NewResponseController(w), limit: noLimit},
	}
	x.kind, x.priced = reply.KindOf(r.URL.Path)
	err := x.run()
	switch {
	case err == nil:
		x.record.End(ledger.Complete)
	case errors.Is(err, errCut):
		// First the ledger: who sees the cut may look there at once.
		x.record.End(ledger.Cut)
		if err := x.out.cut(x.begun); err != nil {
			s.options.Log.Debug("Cut a connection that was gone", "id", x.record.Entry().ID, "error", err)
		}
	case errors.Is(err, errGone):
		x.record.End(ledger.ClientGone)
	default:
		x.record.End(ledger.Cut)
		s.options.Log.Error("Could not answer", "id", x.record.Entry().ID, "error", err)
		if !x.begun {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// run returns nil once the whole answer is out.
func (x *exchange) run() error {
	x.w.Header().Set("server", "tarsfake")
	if id := x.r.Header.Get("x-request-id"); id != "" {
		x.w.Header().Set("x-client-request-id", id)
	}
	settings := behaviour.FromHeader(x.r.Header).Over(x.server.Behaviours.Take(x.r.URL.Path, x.who.fingerprint))
	x.record.Update(func(e *ledger.Entry) {
		e.Key, e.KeyFrom, e.KeyKnown, e.Passthrough = x.who.fingerprint, x.who.from, x.who.known, x.who.passthrough
		e.Behaviour = shortened(settings)
	})
	body, tooLarge, err := x.readBody()
	if err != nil {
		return fmt.Errorf("%w while sending its request: %w", errGone, err)
	}
	if tooLarge {
		return x.refuse("413", fmt.Sprintf("the body is larger than %d bytes", x.server.options.MaxBody))
	}
	x.readRequest(body)
	b, err := behaviour.Parse(settings)
	if err != nil {
		return x.refuse("400", err.Error())
	}
	x.b, x.out.split, x.out.gap = b, b.Split, b.SplitGap
	if err := x.hesitate(); err != nil {
		return err
	}
	if failure, failing := b.Failure(x.request.Stream); failing {
		return x.fail(failure)
	}
	return x.route()
}

// readBody reads the whole body, as far as it is allowed to be.
func (x *exchange) readBody() (body []byte, tooLarge bool, err error) {
	most := x.server.options.MaxBody
	var buffer bytes.Buffer
	if length := x.r.ContentLength; length > 0 && length <= most {
		buffer.Grow(int(length) + bytes.MinRead)
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(&buffer, hash), io.LimitReader(x.r.Body, most+1))
	digest := hex.EncodeToString(hash.Sum(nil))
	tooLarge = n > most
	x.record.Update(func(e *ledger.Entry) {
		e.BodyBytes = n
		// Of a part, a digest proves nothing.
		if err == nil && !tooLarge {
			e.BodySHA256 = digest
		}
	})
	x.w.Header().Set(bodyDigestHeader, digest)
	return buffer.Bytes(), tooLarge, err
}

// readRequest learns what an inference request asks for; a body that makes no
// sense counts only if nothing else is wrong.
func (x *exchange) readRequest(body []byte) {
	if !x.priced {
		return
	}
	x.request, x.malformed = reply.Read(x.kind, body)
	if x.malformed != nil {
		return
	}
	digest := reply.Digest([]byte(x.request.Prompt))
	x.w.Header().Set(promptDigestHeader, digest)
	x.record.Update(func(e *ledger.Entry) {
		e.ModelAsked, e.Stream, e.IncludeUsage = short(x.request.Model), x.request.Stream, x.request.IncludeUsage
		e.PromptSHA256 = digest
	})
}

// hesitate is what may happen before the first byte of an answer.
func (x *exchange) hesitate() error {
	if x.b.Silent {
		return x.out.until(nil)
	}
	if err := x.out.wait(x.b.Delay); err != nil {
		return err
	}
	if x.b.Cut.Where == behaviour.CutBeforeHeaders {
		return errCut
	}
	return nil
}
