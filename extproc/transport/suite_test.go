// SPDX-License-Identifier: Apache-2.0

package transport_test

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/transport"
)

func TestTransport(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/transport")
}

const (
	timeout = 10 * time.Second
	poll    = 5 * time.Millisecond
	// budgetSize is what long messages may take that are not whole.
	budgetSize = 256 << 20
	path       = "/test.Service/Talk"
)

// service answers each message with itself, but for those that tell it otherwise.
type service struct {
	mu    sync.Mutex
	calls []*call
}

// call is one of its streams.
type call struct {
	*transport.Stream

	mu       sync.Mutex
	messages int
	sent     int
	closed   int
	full     int
}

func (s *service) open(stream *transport.Stream) transport.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Stream: stream}
	s.calls = append(s.calls, c)
	return c
}

// last is the latest call.
func (s *service) last() *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == 0 {
		return nil
	}
	return s.calls[len(s.calls)-1]
}

func (s *service) all() []*call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*call(nil), s.calls...)
}

func (c *call) Message(text []byte, _ bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages++
	switch {
	case bytes.Equal(text, []byte("fail")):
		return status.Error(codes.InvalidArgument, "not so: 100 %\n")
	case bytes.Equal(text, []byte("break")):
		return errors.New("of no status")
	case bytes.Equal(text, []byte("silence")):
		return nil
	case bytes.Equal(text, []byte("expect")):
		c.Expect(200 << 10)
		return nil
	}
	half := len(text) / 2
	err := c.Send(text[:half], text[half:])
	clear(text) // nobody keeps what was sent
	return err
}

func (c *call) Sent() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	return nil
}

func (c *call) Full() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.full++
	return nil
}

func (c *call) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
}

// counts are the calls of the handler's methods.
func (c *call) counts() (messages, sent, closed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.messages, c.sent, c.closed
}

// running is a server with one service.
type running struct {
	*transport.Server
	*service

	budget  *memory.Budget
	address string
	ended   chan error
}

// start serves until the end of the spec, and expects that nothing is left then.
func start() *running {
	GinkgoHelper()
	return serve(listener())
}

// serve is start with a listener.
func serve(l net.Listener) *running {
	GinkgoHelper()
	before := Goroutines()
	DeferCleanup(func() { Eventually(Goroutines).WithTimeout(timeout).WithPolling(poll).ShouldNot(HaveLeaked(before)) })
	r := &running{service: &service{}, budget: memory.NewBudget(budgetSize), ended: make(chan error, 1)}
	r.Server = transport.New(map[string]transport.Method{path: r.open}, r.budget, logr.Discard())
	r.address = l.Addr().String()
	go func() { r.ended <- r.Serve(l) }()
	DeferCleanup(func() {
		r.Stop()
		Eventually(r.ended).WithTimeout(timeout).Should(Receive(MatchError(transport.ErrServerClosed)))
		for _, c := range r.all() {
			_, _, closed := c.counts()
			Expect(closed).To(Equal(1), "each handler is told once that its stream has ended")
		}
		Expect(r.budget.Held()).To(BeZero())
	})
	return r
}
