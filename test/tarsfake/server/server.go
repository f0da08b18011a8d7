// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tars-operator/tars-operator/test/tarsfake/behaviour"
	"github.com/tars-operator/tars-operator/test/tarsfake/certs"
	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
)

// DefaultMaxBody is the number of bytes of a request's body that is read
// before the stand-in answers 413.
const DefaultMaxBody = 128 << 20

const (
	// headerTimeout bounds the time that a client takes to send headers.
	headerTimeout = 30 * time.Second
	// window is HTTP/2's flow control window of a stream and of a connection:
	// the largest that net/http takes, so that it never throttles.
	window = 4<<20 - 1
	// maxStreams is the number of HTTP/2 streams of a connection.
	maxStreams = 10000
)

// Options say what to serve. Zero values take the defaults.
type Options struct {
	// HTTP, HTTPS and Admin are addresses to listen on; default a free port of
	// 127.0.0.1.
	HTTP, HTTPS, Admin string
	// Bundle is the certificate; default one made for Hosts.
	Bundle certs.Bundle
	// Hosts are the names of a certificate to make; default DefaultHosts.
	Hosts []string
	// Keys are the keys to take; default keys.DemoKey.
	Keys *keys.Ring
	// LedgerSize is the number of requests to remember; default
	// ledger.DefaultSize.
	LedgerSize int
	// MaxBody is the largest body in bytes; default DefaultMaxBody.
	MaxBody int64
	// Lean answers chat completions alone, without reading what they say, so
	// that the stand-in is not what a load test measures. See serveLean.
	Lean bool
	// Log gets what the operator of the stand-in should know; default nowhere.
	Log *slog.Logger
}

// DefaultHosts are the names that the stand-in is called by.
func DefaultHosts() []string {
	return []string{
		"api.router.tetrate.ai", "tarsfake.tarsfake.svc", "tarsfake.tarsfake.svc.cluster.local", "localhost", "127.0.0.1",
	}
}

func (o Options) filled() (Options, error) {
	for _, address := range []*string{&o.HTTP, &o.HTTPS, &o.Admin} {
		if *address == "" {
			*address = "127.0.0.1:0"
		}
	}
	if o.Keys == nil {
		o.Keys = &keys.Ring{}
		if _, err := o.Keys.Add(keys.DemoKey, nil); err != nil {
			return o, fmt.Errorf("adding the demo key: %w", err)
		}
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Bundle.Cert != nil {
		return o, nil
	}
	if len(o.Hosts) == 0 {
		o.Hosts = DefaultHosts()
	}
	bundle, err := certs.Generate(o.Hosts)
	o.Bundle = bundle
	return o, err
}

// Server is a running stand-in.
type Server struct {
	// Keys, Ledger and Behaviours are what the admin API reads and changes.
	Keys       *keys.Ring
	Ledger     *ledger.Ledger
	Behaviours *behaviour.Queue

	options Options
	servers []*http.Server
	serving sync.WaitGroup
	// closing ends the exchanges that wait.
	closing chan struct{}
	close   sync.Once
	lean    atomic.Int64 // answers of serveLean

	httpAddr, httpsAddr, adminAddr string
}

// Start listens and serves until Close or Shutdown.
func Start(options Options) (*Server, error) {
	options, err := options.filled()
	if err != nil {
		return nil, fmt.Errorf("starting the stand-in: %w", err)
	}
	pair, err := options.Bundle.Pair()
	if err != nil {
		return nil, fmt.Errorf("starting the stand-in: %w", err)
	}
	s := &Server{
		Keys: options.Keys, Ledger: ledger.New(options.LedgerSize), Behaviours: &behaviour.Queue{},
		options: options, closing: make(chan struct{}),
	}
	api := http.HandlerFunc(s.serveAPI)
	if options.Lean {
		api = s.serveLean
	}
	secure := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	for _, port := range []struct {
		address string
		handler http.Handler
		tls     *tls.Config
		bound   *string
	}{
		{options.HTTP, api, nil, &s.httpAddr},
		{options.HTTPS, api, secure, &s.httpsAddr},
		{options.Admin, s.adminHandler(), nil, &s.adminAddr},
	} {
		listener, err := net.Listen("tcp", port.address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("starting the stand-in: %w", err), s.Close())
		}
		*port.bound = listener.Addr().String()
		s.serve(listener, port.handler, port.tls)
	}
	return s, nil
}

// serve serves a listener in the background: HTTP/1.1 and HTTP/2, the latter
// by ALPN with TLS and by prior knowledge without.
func (s *Server) serve(listener net.Listener, handler http.Handler, secure *tls.Config) {
	server := &http.Server{
		Handler: handler, TLSConfig: secure, ReadHeaderTimeout: headerTimeout, Protocols: &http.Protocols{},
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerConnection: window, MaxReceiveBufferPerStream: window,
		},
		ErrorLog: slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(secure != nil)
	server.Protocols.SetUnencryptedHTTP2(secure == nil)
	s.servers = append(s.servers, server)
	s.serving.Go(func() {
		var err error
		if secure != nil {
			err = server.ServeTLS(listener, "", "")
		} else {
			err = server.Serve(listener)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.options.Log.Error("Serving ended", "address", listener.Addr().String(), "error", err)
		}
	})
}

// URL is the API's base URL without TLS, SecureURL with it, AdminURL the admin
// API's; none has a path.
func (s *Server) URL() string { return "http://" + s.httpAddr }

// SecureURL is the API's base URL with TLS.
func (s *Server) SecureURL() string { return "https://" + s.httpsAddr }

// AdminURL is the admin API's base URL.
func (s *Server) AdminURL() string { return "http://" + s.adminAddr }

// CA is the authority to trust, in PEM; nil if a certificate was given
// without.
func (s *Server) CA() []byte { return s.options.Bundle.CA }

// Shutdown takes no new request, cuts those that wait and lets the others end
// until the context does; what is left then is cut too.
func (s *Server) Shutdown(ctx context.Context) error {
	s.close.Do(func() { close(s.closing) })
	var err error
	for _, server := range s.servers {
		if server.Shutdown(ctx) != nil {
			err = errors.Join(err, server.Close())
		}
	}
	s.serving.Wait()
	return err
}

// Close cuts every request and ends.
func (s *Server) Close() error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Shutdown(now)
}
