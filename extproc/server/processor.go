// SPDX-License-Identifier: Apache-2.0

package server

import (
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/metrics"
	"github.com/tars-operator/tars-operator/extproc/policy"
	"github.com/tars-operator/tars-operator/extproc/trace"
	"github.com/tars-operator/tars-operator/extproc/transport"
)

// HoldTimeout is how long a held request body may make no progress before the client is
// answered 408: it holds memory for nothing. For one that sends a byte now and then, see
// minRate.
const HoldTimeout = 30 * time.Second

const (
	// slowBytes is how large a held body may be, in bytes, that takes its time: it
	// holds little.
	slowBytes = 256 << 10
	// minRate is what of a larger one has to arrive, in bytes a second from its begin on
	// and beside HoldTimeout, or the client is answered 408 too. Three connections that
	// bring a byte now and then would hold what all others need.
	minRate = 32 << 10
)

// Options are what New needs.
type Options struct {
	// Config is the whole configuration, Hash identifies it.
	Config config.Config
	Hash   string
	// Replica is the pod's name, for the canary's answers.
	Replica string
	// Budget bounds the bytes of requests in memory.
	Budget *memory.Budget
	// Metrics counts.
	Metrics *metrics.Metrics
	// Tracer makes spans; nil: none.
	Tracer *trace.Tracer
	// Log takes one line a request at V(1), never with content.
	Log logr.Logger
	// HoldTimeout replaces the constant when it is above zero.
	HoldTimeout time.Duration
}

// Processor implements Envoy's service ExternalProcessor.
type Processor struct {
	hash, replica string
	routes        []*route
	budget        *memory.Budget
	tracer        *trace.Tracer
	log           logr.Logger
	holdTimeout   time.Duration
	tickets       *tickets
}

// route is the configuration of one TarsBackend, ready for use.
type route struct {
	config.Route

	models  *policy.Models
	metrics *metrics.Route
}

// New compiles the configuration.
func New(o Options) *Processor {
	p := &Processor{
		hash: o.Hash, replica: o.Replica, budget: o.Budget, tracer: o.Tracer, log: o.Log, holdTimeout: o.HoldTimeout,
		tickets: newTickets(time.Now),
	}
	if p.holdTimeout <= 0 {
		p.holdTimeout = HoldTimeout
	}
	for _, r := range o.Config.Routes {
		models := policy.NewModels(r)
		p.routes = append(p.routes, &route{
			Route: r, models: models, metrics: o.Metrics.Route(r, models.Labels()),
		})
	}
	return p
}

// route finds the route of a path: the one with the longest prefix.
func (p *Processor) route(path string) *route {
	var best *route
	for _, r := range p.routes {
		root := strings.TrimSuffix(r.PathPrefix, "/") + "/v1"
		below, ok := strings.CutPrefix(path, root)
		if !ok || (below != "" && below[0] != '/') {
			continue
		}
		if best == nil || len(r.PathPrefix) > len(best.PathPrefix) {
			best = r
		}
	}
	return best
}

// Stream is where the replies for one HTTP request go.
type Stream interface {
	// Send sends a message in two parts, which it does not keep. It does not wait.
	Send(head, body []byte) error
	// Expect says that so many bytes of a body come and are read in any case.
	Expect(n int64)
	// Room tells whether everything that was sent has left.
	Room() bool
}

// Open serves one HTTP request.
func (p *Processor) Open(stream Stream) transport.Handler {
	return newSession(p, stream)
}
