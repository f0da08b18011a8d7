// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// patience is how long a thread waits for one connection. The kernel rounds it
	// up to its ticks, of ten milliseconds at most.
	patience = 5 * time.Millisecond
	// loaded is how many waits after each other have to be shorter than that before a
	// thread is given to a connection.
	loaded = 32
	// yieldEvery is how often a thread that waits tells the scheduler that it is not
	// stuck, which looks every ten milliseconds.
	yieldEvery = 5 * time.Millisecond
)

// errNoDescriptor is for connections that are not the kernel's.
var errNoDescriptor = errors.New("the connection has no file descriptor")

// socket is the bytes of a connection, and waits for them in one of two ways.
//
// Through the runtime's poller, a wait costs several times what is done with the
// bytes: it is the poller's thread that wakes, and it wakes another, and the
// runtime's monitor with them. So a connection under load is given a thread, which
// waits in the kernel for that connection alone. One is always left to the others: as
// long as such a thread waits, it keeps one of the GOMAXPROCS.
//
// Read and adapt are for the goroutine of the connection. Neither adapt nor Write may
// run while the other does.
type socket struct {
	net.Conn // while it has no thread
	threads  *threads
	short    int       // waits after each other that were short
	quiet    bool      // the thread has waited for nothing
	yielded  time.Time // when the thread last told the scheduler

	mu     sync.Mutex // of what Close shares with adapt
	closed bool
	own    *os.File // while it has a thread: blocking, and not in the poller
}

func newSocket(nc net.Conn, t *threads) *socket { return &socket{Conn: nc, threads: t} }

// Read implements io.Reader. It returns errQuiet when the thread has waited for
// nothing: adapt is due.
func (s *socket) Read(p []byte) (int, error) {
	if s.own == nil {
		begun := time.Now()
		n, err := s.Conn.Read(p)
		if s.short++; time.Since(begun) >= patience {
			s.short = 0
		}
		return n, err
	}
	if now := time.Now(); now.Sub(s.yielded) >= yieldEvery {
		s.yielded = now
		runtime.Gosched()
	}
	n, err := s.own.Read(p)
	if s.quiet = errors.Is(err, unix.EAGAIN); s.quiet {
		return 0, errQuiet
	}
	return n, err
}

// write writes all of p, and gives up on a peer that reads nothing for writeTimeout.
func (s *socket) write(p []byte) error {
	if s.own != nil {
		_, err := s.own.Write(p)
		return err
	}
	return writeInTime(s.Conn, p)
}

// adapt chooses the way of waiting by how long the waits before took. Where the other
// way cannot be had, this one is kept.
func (s *socket) adapt() {
	switch {
	case s.own != nil && s.quiet:
		s.quiet = false
		s.cool()
	case s.own == nil && s.short >= loaded:
		s.short = 0
		s.heat()
	}
}

// heat gives the connection a thread, if there is one.
func (s *socket) heat() {
	if !s.threads.take() {
		return
	}
	own, err := blocking(s.Conn)
	if err != nil {
		s.threads.give()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own = own
	if s.closed {
		_ = s.end() //nolint:errcheck // Close has told
		return
	}
	// Out of the poller: otherwise every byte would wake its thread, too.
	_ = s.Conn.Close() //nolint:errcheck // the descriptor lives on in own
}

// cool gives the thread back.
func (s *socket) cool() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	nc, err := net.FileConn(s.own)
	if err != nil { // of want of descriptors, say: the thread stays, and has to wait
		_ = s.control(func(fd int) error { return unix.SetNonblock(fd, false) }) //nolint:errcheck // it cannot fail on a socket
		return
	}
	_ = s.own.Close() //nolint:errcheck // the descriptor lives on in nc
	s.Conn, s.own = nc, nil
	s.threads.give()
}

// Close ends the connection, and a wait for it. It may be called by any goroutine, and
// again.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.own == nil {
		return s.Conn.Close()
	}
	return s.end()
}

// end closes what has a thread. The lock is held.
func (s *socket) end() error {
	s.threads.give()
	// The thread that waits is not woken by a descriptor's end alone.
	_ = s.control(func(fd int) error { return unix.Shutdown(fd, unix.SHUT_RDWR) }) //nolint:errcheck // the peer may have gone before
	return s.own.Close()
}

// control does something with the descriptor of what has a thread. The lock is held.
func (s *socket) control(do func(fd int) error) error {
	raw, err := s.own.SyscallConn()
	if err != nil {
		return err
	}
	outer := raw.Control(func(fd uintptr) { err = do(int(fd)) })
	return errors.Join(outer, err)
}

// blocking returns the connection as a file that waits in the kernel: for patience to
// read; and to write for half of writeTimeout, as a write goes on after one that could
// write a part.
func blocking(nc net.Conn) (*os.File, error) {
	conn, ok := nc.(syscall.Conn)
	if !ok {
		return nil, errNoDescriptor
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("the connection's descriptor: %w", err)
	}
	fd := -1
	control := raw.Control(func(old uintptr) {
		if fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			err = errors.Join(
				unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, timeval(patience)),
				unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, timeval(writeTimeout/2)),
				unix.SetNonblock(fd, false))
		}
	})
	if err = errors.Join(control, err); err != nil {
		if fd >= 0 {
			err = errors.Join(err, unix.SetNonblock(fd, true), unix.Close(fd))
		}
		return nil, err
	}
	return os.NewFile(uintptr(fd), "connection"), nil
}

func timeval(d time.Duration) *unix.Timeval {
	t := unix.NsecToTimeval(d.Nanoseconds())
	return &t
}
