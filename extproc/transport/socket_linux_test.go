// SPDX-License-Identifier: Apache-2.0

package transport_test

import (
	"net"
	"os"
	"runtime"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"
)

// watched hands out another descriptor of each socket that it accepts.
type watched struct {
	net.Listener
	sockets chan int
	last    net.Conn // that it has accepted
}

func (w *watched) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w.last = conn
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var dup error
	if err := raw.Control(func(fd uintptr) {
		var other int
		if other, dup = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); dup == nil {
			w.sockets <- other
		}
	}); err != nil {
		return nil, err
	}
	return conn, dup
}

// descriptors is the number of files that the process has open.
func descriptors() int {
	GinkgoHelper()
	open, err := os.ReadDir("/proc/self/fd")
	Expect(err).NotTo(HaveOccurred())
	return len(open)
}

// hasThread tells whether a thread waits for the socket: it blocks then.
func hasThread(socket int) bool {
	GinkgoHelper()
	flags, err := unix.FcntlInt(uintptr(socket), unix.F_GETFL, 0)
	Expect(err).NotTo(HaveOccurred())
	return flags&unix.O_NONBLOCK == 0
}

var _ = Describe("A connection's thread", func() {
	var (
		r *running
		w *watched
	)
	// processors sets GOMAXPROCS for the spec.
	processors := func(n int) {
		old := runtime.GOMAXPROCS(n)
		DeferCleanup(func() { runtime.GOMAXPROCS(old) })
	}
	BeforeEach(func() {
		w = &watched{Listener: listener(), sockets: make(chan int, 8)}
		r = serve(w)
	})
	accepted := func() int {
		socket := <-w.sockets
		DeferCleanup(unix.Close, socket)
		return socket
	}
	// busy has the server answer pings until it is so, and tells whether it became so.
	busy := func(p *peer, is func() bool) bool {
		for range 2000 {
			if p.nothing(); is() {
				return true
			}
		}
		return false
	}

	It("comes with load, and goes with it", func() {
		processors(2)
		p := connect(r)
		socket := accepted()
		Expect(hasThread(socket)).To(BeFalse())
		before := descriptors()
		for range 3 {
			Expect(busy(p, func() bool { return hasThread(socket) })).To(BeTrue())
			Expect(w.last.SetDeadline(time.Time{})).To(MatchError(net.ErrClosed), "the poller knows it no more")
			patience, err := unix.GetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_SNDTIMEO)
			Expect(err).NotTo(HaveOccurred())
			Expect(patience.Sec).To(BeEquivalentTo(10), "for a peer that does not read")
			p.nothing()
			Eventually(func() bool { return hasThread(socket) }).WithTimeout(timeout).WithPolling(poll).Should(BeFalse())
			p.nothing()
		}
		Expect(descriptors()).To(Equal(before))
		p.open(1, true)
		Expect(p.next()).To(Equal(opened + " grpc-status=0$"))
	})

	It("is for load only, not for some frames after each other or with pauses", func() {
		processors(2)
		p := connect(r)
		socket := accepted()
		for range 20 {
			<-time.After(8 * time.Millisecond)
			p.nothing()
		}
		for range 20 {
			p.nothing()
		}
		Expect(hasThread(socket)).To(BeFalse())
	})

	It("leaves one of the processors to the others", func() {
		processors(2)
		one, another := connect(r), connect(r)
		first, second := accepted(), accepted()
		Expect(busy(one, func() bool { return hasThread(first) })).To(BeTrue())
		Expect(busy(another, func() bool {
			one.nothing() // keeps its own
			return hasThread(second) && hasThread(first)
		})).To(BeFalse())
		Expect(one.conn.(*net.TCPConn).CloseWrite()).To(Succeed())
		Expect(busy(another, func() bool { return hasThread(second) })).To(BeTrue(), "the thread of one that has ended")
	})

	It("is not there where there is one processor", func() {
		processors(1)
		p := connect(r)
		socket := accepted()
		Expect(busy(p, func() bool { return hasThread(socket) })).To(BeFalse())
	})

	It("ends with the connection while it writes what nobody reads", func() {
		processors(2)
		p := connect(r, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		socket := accepted()
		Expect(p.WriteWindowUpdate(0, 1<<30)).To(Succeed())
		p.open(1, false)
		Expect(busy(p, func() bool { return hasThread(socket) })).To(BeTrue())
		full := message(string(make([]byte, 16_000)))
		Expect(p.conn.SetWriteDeadline(time.Now().Add(time.Second))).To(Succeed())
		var err error
		for err == nil { // until the server reads no more, because it writes
			err = p.WriteData(1, false, full)
		}
		Expect(hasThread(socket)).To(BeTrue())
		began := time.Now()
		r.Stop()
		Expect(time.Since(began)).To(BeNumerically("<", timeout))
	})

	It("is not for what is no socket, and is not lost to it", func() {
		processors(2)
		conns := &pipes{conns: make(chan net.Conn, 2), done: make(chan struct{})}
		serve(conns)
		ours, theirs := net.Pipe()
		conns.conns <- theirs
		piped := newPeer(ours)
		DeferCleanup(ours.Close)
		hello(piped)
		Expect(busy(piped, func() bool { return false })).To(BeFalse())

		other := &watched{Listener: listener(), sockets: w.sockets}
		DeferCleanup(other.Close)
		client, err := net.Dial("tcp", other.Addr().String())
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(client.Close)
		served, err := other.Accept()
		Expect(err).NotTo(HaveOccurred())
		conns.conns <- served
		p, socket := newPeer(client), accepted()
		hello(p)
		Expect(busy(p, func() bool { return hasThread(socket) })).To(BeTrue())
	})
})
