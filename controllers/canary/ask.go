// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// maxHeaderBytes bounds an answer's headers. A canary's body is not read at all.
const maxHeaderBytes = 32 << 10

// asker asks one question. It dials only what it is told to: no proxy, no
// redirect, no name to resolve.
type asker struct {
	transport *http.Transport
	dial      time.Duration
	answer    time.Duration
	now       func() time.Time
}

// newAsker makes an asker. It keeps no connection: a new one is what a new
// client would get, it lands on any of Envoy's workers, and it cannot be one
// that a draining listener still serves with an old configuration.
func newAsker(dial, answer time.Duration) *asker {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return &asker{
		dial:   dial,
		answer: answer,
		now:    time.Now,
		transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: dial, KeepAlive: -1}).DialContext,
			TLSHandshakeTimeout:    dial,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeaderBytes,
			Protocols:              protocols,
		},
	}
}

// ask asks a target once. Verified here means that this one answer was right.
func (a *asker) ask(ctx context.Context, plan Plan, t Target) state {
	if _, err := netip.ParseAddrPort(t.Address); err != nil {
		return state{conditions.ProbeUnreachable, "its address is not an IP address and a port"}
	}
	ctx, cancel := context.WithTimeout(ctx, a.answer)
	defer cancel()
	listener := newListenerTLS(t, a.now)
	response, err := a.send(ctx, t, listener, question{method: http.MethodGet, path: plan.Path})
	if err != nil {
		return a.noAnswer(t, listener, err)
	}
	s := classify(plan, response.StatusCode, response.Header)
	if err := response.Body.Close(); err != nil {
		return state{conditions.ProbeUnreachable, "closed the connection in the middle of its answer"}
	}
	if problem := listener.problem; problem != "" && s.outcome == conditions.ProbeVerified {
		return state{conditions.ProbeWrong, problem}
	}
	return s
}

// question is a request without a body.
type question struct {
	method, path string
	// ticket lets it through to TARS; empty: none.
	ticket string
}

// send asks a target a question.
func (a *asker) send(ctx context.Context, t Target, listener *listenerTLS, q question) (*http.Response, error) {
	u := &url.URL{Scheme: "http", Host: t.Address, Path: q.path, RawPath: q.path} // byte for byte
	transport := a.transport
	if t.TLS {
		u.Scheme = "https"
		transport = a.transport.Clone()
		transport.TLSClientConfig = listener.config()
	}
	request := (&http.Request{
		Method: q.method, URL: u, Host: t.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": {"tars-operator-canary"}, "Accept": {"application/json"}},
	}).WithContext(ctx)
	if q.ticket != "" {
		request.Header.Set(config.HeaderProbe, q.ticket)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", t.Address, err)
	}
	return response, nil
}

// noAnswer words an error of the connection. The error's own text is not used:
// it holds ports that change each time and bytes that came from the other end.
func (a *asker) noAnswer(t Target, listener *listenerTLS, err error) state {
	var op *net.OpError
	dialing := errors.As(err, &op) && op.Op == "dial"
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) && t.Service != "":
		return state{conditions.ProbeUnreachable, "refused the connection: the network of the operator's node " +
			"(kube-proxy or what stands in for it) does not know its endpoints yet"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return state{conditions.ProbeUnreachable, "refused the connection: its listener is not there yet, or gone"}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return state{conditions.ProbeImpossible, "there is no network route to it from the operator's pod"}
	case dialing && isTimeout(err, &timeout):
		return state{conditions.ProbeImpossible, "no connection within " + a.dial.String() +
			": does a NetworkPolicy keep the operator's pod from it?"}
	case isTimeout(err, &timeout):
		return state{conditions.ProbeUnreachable, "no answer within " + a.answer.String()}
	case dialing:
		return state{conditions.ProbeUnreachable, "the operator's pod cannot connect to it"}
	case listener.wantsCertificate:
		return state{conditions.ProbeImpossible, "asks for a client certificate (ClientTrafficPolicy, tls.clientValidation), " +
			"which the operator has none of"}
	case t.TLS:
		return state{conditions.ProbeImpossible, "ended the TLS handshake: does its listener expect the PROXY protocol, " +
			"or refuse the host name " + t.Host + "?"}
	default:
		return state{conditions.ProbeImpossible, "closed the connection or answered something that is not HTTP: " +
			"does its listener expect the PROXY protocol or TLS?"}
	}
}

func isTimeout(err error, as *net.Error) bool {
	return errors.Is(err, context.DeadlineExceeded) || (errors.As(err, as) && (*as).Timeout())
}
