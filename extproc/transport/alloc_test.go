// SPDX-License-Identifier: Apache-2.0

package transport_test

import (
	"bytes"
	"errors"
	"net"
	"runtime"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/net/http2"

	"github.com/tars-operator/tars-operator/extproc/memory"
	"github.com/tars-operator/tars-operator/extproc/transport"
)

// echo answers each message with itself, and keeps nothing.
type echo struct{ *transport.Stream }

func (e echo) Message(text []byte, _ bool) error { return e.Send(text[:1], text[1:]) }

func (echo) Full() error { return nil }

func (echo) Sent() error { return nil }

func (echo) Close() {}

// allocated is how many objects it takes to serve a client that says so many messages of a
// size on one stream.
func allocated(messages, size int) int {
	GinkgoHelper()
	said := &bytes.Buffer{}
	said.WriteString(http2.ClientPreface)
	p := newPeer(nil)
	p.Framer = http2.NewFramer(said, nil)
	const wide = 1 << 30
	Expect(errors.Join(
		p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: wide}),
		p.WriteWindowUpdate(0, wide),
	)).To(Succeed())
	p.open(1, false)
	data := message(string(bytes.Repeat([]byte("x"), size)))
	for range messages {
		for part := data; len(part) > 0; {
			n := min(len(part), 16<<10) // the largest frame that every server takes
			p.send(1, false, part[:n])
			part = part[n:]
		}
	}

	server := transport.New(map[string]transport.Method{
		path: func(s *transport.Stream) transport.Handler { return echo{s} },
	}, memory.NewBudget(1<<30), logr.Discard())
	listener := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	conn := &tape{Reader: bytes.NewReader(said.Bytes()), closed: make(chan struct{})}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	listener.conns <- conn
	Eventually(conn.closed).WithTimeout(timeout).WithPolling(time.Millisecond).Should(BeClosed())
	runtime.ReadMemStats(&after)
	server.Stop()
	Eventually(ended).WithTimeout(timeout).Should(Receive())
	return int(after.Mallocs - before.Mallocs)
}

var _ = DescribeTable("A message is read and answered without an allocation",
	func(size int) {
		const few, many = 100, 2100
		allocated(few, size) // what is made once
		// One that a reading of the connection ends in is put together.
		Expect(allocated(many, size) - allocated(few, size)).To(BeNumerically("<", (many-few)/5))
	},
	Entry("that is small", 200),
	Entry("that is a long chunk of a stream", 1000),
)
