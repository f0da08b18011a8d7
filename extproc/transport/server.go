// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/tars-operator/tars-operator/extproc/memory"
)

// ErrServerClosed is what Serve returns after Stop or GracefulStop.
var ErrServerClosed = errors.New("the server is closed")

// acceptPause is how long a listener that cannot accept, for want of file
// descriptors mostly, is left alone.
const acceptPause = 100 * time.Millisecond

// Method begins to serve a stream.
type Method func(s *Stream) Handler

// Handler serves one stream. Its methods are called one at a time, by the
// goroutine of the connection: one that waits holds up every other stream of it.
type Handler interface {
	// Message takes a message. One that is lent is valid during the call only; any
	// other belongs to the handler from then on, which may give it to memory.Recycle.
	// An error ends the stream with the gRPC status that it stands for.
	Message(text []byte, lent bool) error
	// Full says that there is no memory for a message, which is thrown away. Messages
	// may follow.
	Full() error
	// Sent says that everything that was sent has left, after Room told that
	// something had not.
	Sent() error
	// Close says that the stream has ended, whatever way: once, as the last call.
	Close()
}

// Server serves streams. The zero value is of no use: see New.
type Server struct {
	methods map[string]Method
	log     logr.Logger
	budget  *memory.Budget
	threads threads

	mu       sync.Mutex
	closed   chan struct{}
	draining bool
	listener net.Listener
	conns    map[*conn]struct{}
	running  sync.WaitGroup // connections
}

// New returns a server of methods by their paths, "/package.Service/Method". Long messages
// count against the budget until a handler has them.
func New(methods map[string]Method, budget *memory.Budget, log logr.Logger) *Server {
	return &Server{methods: methods, budget: budget, log: log, closed: make(chan struct{}), conns: map[*conn]struct{}{}}
}

// Serve accepts connections until the server is stopped, and returns
// ErrServerClosed then. It may be called once.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listener = l
	draining := s.draining
	s.mu.Unlock()
	if draining {
		return errors.Join(ErrServerClosed, l.Close())
	}
	for {
		nc, err := l.Accept()
		if err == nil {
			s.accept(nc)
			continue
		}
		select {
		case <-s.closed:
			return ErrServerClosed
		case <-time.After(acceptPause):
			s.log.Info("cannot accept a connection from Envoy", "error", err.Error())
		}
	}
}

func (s *Server) accept(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		newConn(s, nc).cut() // Envoy goes to another replica
		return
	}
	c := newConn(s, nc)
	s.conns[c] = struct{}{}
	s.running.Go(func() {
		c.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
}

// GracefulStop takes no new stream, and returns when those that there are have
// ended.
func (s *Server) GracefulStop() {
	s.each((*conn).drain)
	s.running.Wait()
}

// Stop cuts every stream.
func (s *Server) Stop() {
	s.each((*conn).cut)
	s.running.Wait()
}

// each stops listening, and calls f for every connection, at the same time: a peer
// that does not read may hold one up.
func (s *Server) each(f func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.draining {
		s.draining = true
		close(s.closed)
		s.hangUp()
	}
	for c := range s.conns {
		go f(c)
	}
}

// hangUp stops listening.
func (s *Server) hangUp() {
	if s.listener == nil {
		return
	}
	if err := s.listener.Close(); err != nil {
		s.log.Info("closing the port for Envoy", "error", err.Error())
	}
}
