// SPDX-License-Identifier: Apache-2.0

package server

import (
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
)

// Bounds of what an entry keeps of a request.
const (
	maxValue = 256
	maxNames = 200
)

// passthroughHeader brings TARS's key when the caller's own one is in
// x-api-key.
const passthroughHeader = "x-tars-api-key"

// openHeaders are those whose values hold no secret; openPrefixes begin more.
var (
	openHeaders = []string{
		"accept", "accept-encoding", "agent-session-id", "anthropic-beta", "anthropic-version", "connection",
		"content-encoding", "content-length", "content-type", "expect", "forwarded", "host", "te", "traceparent",
		"transfer-encoding", "upgrade", "user-agent", "via", "x-real-ip", "x-request-id", "x-tars-supports-reasoning",
	}
	openPrefixes = []string{behaviour.Prefix, "x-envoy-", "x-forwarded-"}
)

// newEntry is what is known of a request before its body.
func newEntry(r *http.Request) ledger.Entry {
	headers := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if len(r.TransferEncoding) > 0 {
		headers["transfer-encoding"] = strings.Join(r.TransferEncoding, ", ")
	}
	names := slices.Sorted(maps.Keys(headers))
	names = names[:min(len(names), maxNames)]
	for i, name := range names {
		names[i] = short(name)
	}
	maps.DeleteFunc(headers, func(name, _ string) bool { return !open(name) })
	entry := ledger.Entry{
		Time: time.Now(), RequestID: short(r.Header.Get("x-request-id")),
		Method: r.Method, Path: short(r.URL.Path), Query: short(r.URL.RawQuery), Host: short(r.Host),
		Protocol: r.Proto, Remote: remoteHost(r), HeaderNames: names, Headers: shortened(headers),
	}
	if r.TLS != nil {
		entry.TLS, entry.ServerName = true, r.TLS.ServerName
	}
	return entry
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func open(name string) bool {
	return slices.Contains(openHeaders, name) ||
		slices.ContainsFunc(openPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// shortened is what is kept of headers or settings.
func shortened(values map[string]string) map[string]string {
	kept := make(map[string]string, min(len(values), maxNames))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(kept) == maxNames {
			break
		}
		kept[short(name)] = short(values[name])
	}
	return kept
}

func short(value string) string { return value[:min(len(value), maxValue)] }

// identity is who asks.
type identity struct {
	fingerprint string
	from        string
	known       bool
	passthrough bool
	models      []string
}

// identify finds the key as TARS does: in Authorization or, where the caller
// brings a key of its own in x-api-key, in x-tars-api-key.
func (s *Server) identify(r *http.Request) identity {
	var who identity
	key, isBearer := strings.CutPrefix(r.Header.Get("authorization"), "Bearer ")
	switch {
	case isBearer:
		who.from = "authorization"
	case r.Header.Get("authorization") == "" && r.Header.Get("x-api-key") != "":
		key = r.Header.Get(passthroughHeader)
		if key != "" {
			who.from, who.passthrough = passthroughHeader, true
		}
	default:
		key = ""
	}
	who.fingerprint = keys.Fingerprint(key)
	grant, known := s.Keys.Find(key)
	who.known, who.models = known, grant.Models
	return who
}
