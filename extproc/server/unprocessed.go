// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"github.com/tars-operator/tars-operator/extproc/apierror"
)

// Unprocessed is the backend of the route's rule entry. It answers what comes
// to it by HTTP, past Process, with an error: a request that reaches it was not
// let through, because Envoy has no filter for us in its way.
func (p *Processor) Unprocessed(w http.ResponseWriter, r *http.Request) {
	req, _ := p.read(r.Method, r.URL.EscapedPath(), r.Header.Get("x-request-id"))
	req.speaks(r.Header.Get("anthropic-version"))
	e := apierror.NotProcessed()
	body, err := e.Body(req.shape, req.id)
	if err != nil {
		p.log.Error(err, "An error could not be rendered")
	}
	for _, h := range errorHeaders(e, req) {
		w.Header().Set(h.Name, h.Value)
	}
	w.WriteHeader(e.Status)
	if _, err := w.Write(body); err != nil {
		p.log.V(1).Info("A client went away before its answer", "error", err.Error())
	}
}
