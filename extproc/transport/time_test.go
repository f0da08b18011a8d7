// SPDX-License-Identifier: Apache-2.0

package transport_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"golang.org/x/net/http2"

	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/transport"
)

// pipes is a listener whose connections are in memory, so that a bubble has them.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.done)
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestTime runs in bubbles with clocks of their own.
func TestTime(t *testing.T) {
	const moment = time.Millisecond
	for name, play := range map[string]func(t *testing.T, s *transport.Server, p *peer, began time.Time){
		"who connects and says nothing is hung up on": func(_ *testing.T, _ *transport.Server, p *peer, began time.Time) {
			p.ends()
			Expect(time.Since(began)).To(BeNumerically("~", 10*time.Second, moment))
		},
		"who does not read is hung up on": func(_ *testing.T, _ *transport.Server, p *peer, began time.Time) {
			hello(p)
			Expect(p.WritePing(false, [8]byte{})).To(Succeed())
			// Nothing is read: the answer cannot be written.
			<-time.After(19 * time.Second)
			_, err := p.conn.Write([]byte{0})
			Expect(err).To(Or(BeNil(), MatchError(io.ErrClosedPipe)))
			p.ends()
			Expect(time.Since(began)).To(BeNumerically("~", 20*time.Second, time.Second))
		},
		"who says nothing after its beginning is left alone": func(_ *testing.T, _ *transport.Server, p *peer, _ time.Time) {
			hello(p)
			<-time.After(time.Hour)
			p.nothing()
		},
		"an idle connection whose client does not say that it has heard is closed": func(_ *testing.T, s *transport.Server, p *peer, began time.Time) {
			hello(p)
			go s.GracefulStop()
			Expect(p.next()).To(Equal("goaway NO_ERROR"))
			Expect(p.next()).To(Equal("ping drain..."))
			Expect(p.ends()).To(BeEmpty())
			Expect(time.Since(began)).To(BeNumerically("~", 5*time.Second, moment))
		},
		"streams that have begun are waited for": func(_ *testing.T, s *transport.Server, p *peer, began time.Time) {
			hello(p)
			p.open(1, false)
			p.nothing()
			stopped := make(chan struct{})
			go func() {
				s.GracefulStop()
				close(stopped)
			}()
			Expect(p.next()).To(Equal("goaway NO_ERROR"))
			Expect(p.next()).To(Equal("ping drain..."))
			p.open(3, false) // it was on its way
			Expect(p.WritePing(true, [8]byte{'d', 'r', 'a', 'i', 'n'})).To(Succeed())
			Expect(p.next()).To(Equal("goaway NO_ERROR"))
			p.open(5, false)
			Expect(p.next()).To(Equal("reset REFUSED_STREAM"))
			<-time.After(time.Hour)
			p.send(1, true, message("one"))
			Expect([]string{p.next(), p.next(), p.next()}).To(Equal([]string{opened, "data .....one", "headers grpc-status=0$"}))
			synctest.Wait()
			Expect(stopped).NotTo(BeClosed())
			Expect(p.WriteRSTStream(3, http2.ErrCodeCancel)).To(Succeed())
			Expect(p.ends()).To(BeEmpty())
			<-stopped
			Expect(time.Since(began)).To(BeNumerically("~", time.Hour, moment))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				RegisterTestingT(t)
				service := &service{}
				server := transport.New(map[string]transport.Method{path: service.open}, memory.NewBudget(1<<30), logr.Discard())
				listener := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
				ended := make(chan error, 1)
				go func() { ended <- server.Serve(listener) }()
				ours, theirs := net.Pipe()
				listener.conns <- theirs
				play(t, server, newPeer(ours), time.Now())
				Expect(ours.Close()).To(Succeed())
				server.Stop()
				Expect(<-ended).To(MatchError(transport.ErrServerClosed))
				for _, c := range service.all() {
					_, _, closed := c.counts()
					Expect(closed).To(Equal(1))
				}
			})
		})
	}
}

// hello exchanges prefaces over a pipe, which has no room for what nobody reads.
func hello(p *peer) {
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(p.conn, http2.ClientPreface)
		if err == nil {
			err = p.WriteSettings()
		}
		written <- err
	}()
	p.until(func(f http2.Frame) bool { s, ok := f.(*http2.SettingsFrame); return ok && s.IsAck() })
	Expect(<-written).To(Succeed())
}
