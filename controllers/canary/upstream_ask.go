// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// maxListBytes bounds an answer's body. TARS lists about 200 models in 30 kB.
const maxListBytes = 4 << 20

// upstreamAnswer is what one request to TARS through an Envoy met.
type upstreamAnswer struct {
	outcome conditions.UpstreamOutcome
	detail  string
	// models are those that the answer lists.
	models []string
	// stale: the answer is not about the current configuration, so it counts
	// for nothing; the canary itself tells that.
	stale bool
	// passing: another HEAD may well be answered otherwise.
	passing bool
}

// upstreamTimeout bounds one request to TARS, Envoy's retry included.
const upstreamTimeout = 8 * time.Second

// askUpstream sends a canary that is let through to TARS.
func (a *asker) askUpstream(ctx context.Context, plan Plan, t Target, method string) upstreamAnswer {
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	ticket := config.ProbeTicket(plan.Upstream.PassToken, hex.EncodeToString([]byte(rand.Text())), a.now())
	l := a.newLine(t)
	defer l.close()
	response, err := l.send(ctx, question{method: method, path: plan.Path, ticket: ticket, last: true, most: 2 * maxListBytes})
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) { // the connection's deadline is the same, and may be first
			return upstreamAnswer{outcome: conditions.UpstreamTimeout, detail: "no answer within " + upstreamTimeout.String()}
		}
		return upstreamAnswer{stale: true}
	}
	defer response.Body.Close() //nolint:errcheck // nothing is lost with it
	if response.Header.Get(config.HeaderConfigHash) != plan.ConfigHash || response.Header.Get(config.HeaderRouteHash) != plan.RouteHash {
		return upstreamAnswer{stale: true}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxListBytes+1))
	if err != nil {
		return upstreamAnswer{outcome: conditions.UpstreamBroken, detail: "its answer broke off"}
	}
	return classifyUpstream(method, response.StatusCode, response.Header, body)
}

// classifyUpstream judges an answer that carries the external processor's stamp.
func classifyUpstream(method string, status int, header http.Header, body []byte) upstreamAnswer {
	details := header.Get(config.HeaderProbeDetails)
	switch header.Get(config.HeaderProbe) {
	case config.ProbeFromTARS:
		return classifyTARS(method, status, header, body)
	case config.ProbeFromGateway:
		return classifyEnvoy(status, details)
	case config.ProbeRefused:
		return upstreamAnswer{
			outcome: conditions.UpstreamImpossible,
			detail: "the external processor does not let the operator's request through (" + clean(details) +
				"): do the clocks of their nodes agree?",
		}
	default:
		if status == http.StatusOK {
			return upstreamAnswer{
				outcome: conditions.UpstreamImpossible,
				detail:  "the external processor does not know the operator's request: it is of an older version",
			}
		}
		return upstreamAnswer{outcome: conditions.UpstreamImpossible, detail: "a filter of the Gateway answers " + statusWord(status) +
			" before the request gets to TARS"}
	}
}

// classifyEnvoy understands why Envoy itself answered (its response code
// details).
func classifyEnvoy(status int, details string) upstreamAnswer {
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(details, part) {
				return true
			}
		}
		return false
	}
	a := upstreamAnswer{detail: "Envoy answered " + statusWord(status) + " (" + clean(details) + ")"}
	switch {
	case has("no_healthy_upstream", "cluster_not_found", "no_cluster", "dns_resolution"):
		a.outcome = conditions.UpstreamNoAddress
	case has("TLS_error", "CERTIFICATE", "SSL_"):
		a.outcome = conditions.UpstreamTLS
	case has("refused"):
		a.outcome = conditions.UpstreamRefused
	case has("timeout"):
		a.outcome = conditions.UpstreamTimeout
	case has("upstream_reset", "connection_failure", "connection_termination"):
		a.outcome = conditions.UpstreamBroken
	case status < http.StatusInternalServerError:
		a.outcome = conditions.UpstreamImpossible
	default:
		a.outcome = conditions.UpstreamBroken
	}
	return a
}

// clean quotes what Envoy says about itself: one bounded line without anything
// that changes each time.
func clean(details string) string {
	const most = 160
	words := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, strings.ReplaceAll(details, "_", " "))
	if len(words) > most {
		words = words[:most] + "..."
	}
	return words
}
