// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/tars-operator/tars-operator/extproc/apierror"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/modellist"
	"github.com/tars-operator/tars-operator/extproc/wire"
)

// maxList is the largest list of models that can be narrowed, in bytes. TARS
// lists about 200 models in 30 kB.
const maxList = 4 << 20

// heldList is an answer that is rewritten as a whole.
type heldList struct {
	headers headers
	set     []header
	buffer  *memory.Buffer
}

// holdList keeps an answer's headers back until its body was rewritten; set are
// those to set then.
func (s *session) holdList(h headers, set []header) error {
	s.out = holding
	s.ans.list = &heldList{headers: h, set: set, buffer: memory.NewBuffer(s.proc.budget)}
	return nil
}

func (s *session) keepList(m *wire.Request) error {
	list := s.ans.list
	s.ans.reader.Pass(m.Body)
	if list.buffer.Size()+int64(len(m.Body)) > maxList {
		return s.refuse(apierror.ListUnreadable("it is larger than 4 MiB"))
	}
	if list.buffer.Append(own(m)) != nil {
		return s.refuse(apierror.Overloaded())
	}
	if !m.End {
		return nil
	}
	return s.endList(true)
}

// endList sends the rewritten answer; last tells that no trailers follow.
func (s *session) endList(last bool) error {
	list := s.ans.list
	body := list.buffer.Bytes()
	s.ans.release()
	s.endBody(nil)
	if s.req.rename != "" {
		body = modellist.Rename(body, s.req.rename)
	} else {
		body = modellist.Narrow(body, s.route.models)
	}
	s.out = ended
	remove := append(list.headers.ours(), list.headers.named("etag", "last-modified")...)
	if err := s.send(responseHeaders(list.set, remove)); err != nil {
		return err
	}
	for len(body) > maxPiece {
		if err := s.send(responsePiece(body[:maxPiece], false)); err != nil {
			return err
		}
		body = body[maxPiece:]
	}
	return s.send(responsePiece(body, last))
}
