// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// maxBodyBytes bounds what is read of a canary's body, which only the next question
// over the same connection needs read.
const maxBodyBytes = 4 << 10

// perConnection is how many questions of a row go over one connection: a new one for
// each would cost several times what the question does, with TLS Envoy as well.
const perConnection = 4

// asker asks questions. It dials only what it is told to: no proxy, no redirect, no
// name to resolve.
type asker struct {
	dial   time.Duration
	answer time.Duration
	now    func() time.Time
}

func newAsker(dial, answer time.Duration) *asker {
	return &asker{dial: dial, answer: answer, now: time.Now}
}

// row asks a target up to n times over one connection, until an answer is not right.
// Verified means that all were right.
func (a *asker) row(ctx context.Context, plan Plan, t Target, n int) (s state) {
	if _, err := netip.ParseAddrPort(t.Address); err != nil {
		return state{conditions.ProbeUnreachable, "its address is not an IP address and a port"}
	}
	l := a.newLine(t)
	defer l.close()
	for i := range n {
		if s = a.ask(ctx, plan, l, i == n-1); s.outcome != conditions.ProbeVerified {
			break
		}
	}
	return s
}

// ask asks one question of a row.
func (a *asker) ask(ctx context.Context, plan Plan, l *line, last bool) state {
	ctx, cancel := context.WithTimeout(ctx, a.answer)
	defer cancel()
	response, err := l.send(ctx, question{method: http.MethodGet, path: plan.Path, last: last, most: maxBodyBytes})
	if err != nil {
		return a.noAnswer(l, err)
	}
	s := classify(plan, response.StatusCode, response.Header)
	if err := l.finish(response, response.Body.Close()); err != nil {
		return state{conditions.ProbeUnreachable, "closed the connection in the middle of its answer"}
	}
	if problem := l.tls.problem; problem != "" && s.outcome == conditions.ProbeVerified {
		return state{conditions.ProbeWrong, problem}
	}
	return s
}

// noAnswer words an error of the connection. The error's own text is not used:
// it holds ports that change each time and bytes that came from the other end.
func (a *asker) noAnswer(l *line, err error) state {
	t := l.target
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
	case l.tls.wantsCertificate:
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
