// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// directFound is what the operator's own look at an endpoint found.
type directFound struct {
	// reached: it answered HTTP over TLS; proxy: through the operator's proxy.
	reached, proxy bool
}

// looksBlocked says that a firewall between Envoy and the endpoint would look
// like this outcome.
func looksBlocked(outcome conditions.UpstreamOutcome) bool {
	switch outcome {
	case conditions.UpstreamNoAddress, conditions.UpstreamRefused, conditions.UpstreamTimeout, conditions.UpstreamBroken:
		return true
	default:
		return false
	}
}

// directTimeout bounds one look, directMemory how long it counts for all
// TarsBackends of the same endpoint.
const (
	directTimeout = 3 * time.Second
	directMemory  = 5 * time.Second
)

// direct looks at endpoints from the operator's own pod, without a key: only to
// tell a firewall that the Envoys meet from an endpoint that is down. Nothing
// of an answer is read but that there is one.
type direct struct {
	now   func() time.Time
	proxy func(*http.Request) (*url.URL, error)

	// looks are under way: one for an endpoint, and none waits for another endpoint's.
	looks singleflight.Group
	mu    sync.Mutex
	seen  map[string]directSeen
}

type directSeen struct {
	found directFound
	at    time.Time
}

func newDirect(now func() time.Time) *direct {
	return &direct{now: now, proxy: http.ProxyFromEnvironment, seen: map[string]directSeen{}}
}

// look tells what was found a moment ago, or looks.
func (d *direct) look(ctx context.Context, plan Upstream) directFound {
	if plan.Endpoint == "" {
		return directFound{}
	}
	id := fmt.Sprintf("%s %t %s", plan.Endpoint, plan.Private, plan.CA)
	result, _, _ := d.looks.Do(id, func() (any, error) { //nolint:errcheck // it returns none
		if found, ok := d.remembered(id); ok {
			return found, nil
		}
		found := d.ask(ctx, plan)
		if ctx.Err() == nil {
			d.remember(id, found)
		}
		return found, nil
	})
	found, _ := result.(directFound) //nolint:errcheck // it is one
	return found
}

func (d *direct) remembered(id string) (directFound, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.seen, func(_ string, seen directSeen) bool { return d.now().Sub(seen.at) >= directMemory })
	seen, ok := d.seen[id]
	return seen.found, ok
}

func (d *direct) remember(id string, found directFound) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[id] = directSeen{found, d.now()}
}

func (d *direct) ask(ctx context.Context, plan Upstream) directFound {
	ctx, cancel := context.WithTimeout(ctx, directTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+plan.Endpoint+"/", http.NoBody)
	if err != nil {
		return directFound{}
	}
	through, err := d.proxy(request)
	if err != nil {
		return directFound{}
	}
	dialer := &net.Dialer{Timeout: directTimeout}
	if through == nil && !plan.Private {
		dialer.Control = refusePrivate
	}
	trusted := &tls.Config{MinVersion: tls.VersionTLS12}
	if plan.CA != "" {
		trusted.RootCAs = x509.NewCertPool()
		trusted.RootCAs.AppendCertsFromPEM([]byte(plan.CA))
	}
	transport := &http.Transport{
		Proxy: http.ProxyURL(through), DialContext: dialer.DialContext, TLSClientConfig: trusted,
		DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeaderBytes,
	}
	response, err := transport.RoundTrip(request) // follows no redirect
	if err != nil {
		return directFound{}
	}
	return directFound{reached: response.Body.Close() == nil, proxy: through != nil}
}

var errPrivate = errors.New("a private address, of a host that is not allowed by its exact name")

// refusePrivate keeps a TarsBackend from making the operator look around inside
// the cluster's network. It sees the address that is dialled, not a name.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dialling: %w", err)
	}
	ip := to.Addr().Unmap()
	if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || carrierGrade.Contains(ip) {
		return errPrivate
	}
	return nil
}

// carrierGrade is shared address space (RFC 6598), which clusters use too.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")
