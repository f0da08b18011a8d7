// SPDX-License-Identifier: Apache-2.0

package transport_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"golang.org/x/net/http2"

	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/transport"
)

// tape is a connection on which a client has said everything, and reads nothing.
type tape struct {
	io.Reader

	closed chan struct{}
}

func (*tape) Write(p []byte) (int, error) { return len(p), nil }

func (t *tape) Close() error {
	select {
	case <-t.closed:
	default:
		close(t.closed)
	}
	return nil
}

func (*tape) LocalAddr() net.Addr { return &net.TCPAddr{} }

func (*tape) RemoteAddr() net.Addr { return &net.TCPAddr{} }

func (*tape) SetDeadline(time.Time) error { return nil }

func (*tape) SetReadDeadline(time.Time) error { return nil }

func (*tape) SetWriteDeadline(time.Time) error { return nil }

// FuzzFrames has a client say anything: every stream that began has ended once
// when the connection has.
func FuzzFrames(f *testing.F) {
	RegisterTestingT(f)
	for _, say := range []func(p *peer) error{
		func(p *peer) error {
			p.open(1, false)
			return errors.Join(
				p.WriteDataPadded(1, false, message("one"), make([]byte, 3)),
				p.WriteWindowUpdate(1, 5),
				p.WriteData(1, true, message("two")),
			)
		},
		func(p *peer) error {
			settings := p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 3}, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 20})
			p.open(1, false)
			p.open(3, false)
			return errors.Join(
				settings,
				p.WriteData(1, false, message("waits")),
				p.WriteData(3, true, message("fail")),
				p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}),
				p.WriteWindowUpdate(0, 7),
				p.WriteWindowUpdate(1, 7),
				p.WriteRSTStream(1, http2.ErrCodeCancel),
				p.WritePing(true, [8]byte{}),
				p.WriteGoAway(1, http2.ErrCodeNo, nil),
			)
		},
		func(p *peer) error {
			p.headers(1, true, ":method", "GET", ":path", "/")
			return nil
		},
	} {
		said := &bytes.Buffer{}
		p := newPeer(nil)
		p.Framer = http2.NewFramer(said, nil)
		if err := errors.Join(p.WriteSettings(), say(p)); err != nil {
			f.Fatal(err)
		}
		f.Add(said.Bytes())
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		service := &service{}
		server := transport.New(map[string]transport.Method{path: service.open}, memory.NewBudget(1<<30), logr.Discard())
		listener := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(listener) }()
		conn := &tape{Reader: io.MultiReader(bytes.NewReader([]byte(http2.ClientPreface)), bytes.NewReader(said)), closed: make(chan struct{})}
		listener.conns <- conn
		select {
		case <-conn.closed:
		case <-time.After(timeout):
			t.Fatal("the connection does not end")
		}
		server.Stop()
		<-ended
		for _, c := range service.all() {
			if _, _, closed := c.counts(); closed != 1 {
				t.Fatalf("a handler was told %d times of its end", closed)
			}
		}
	})
}
