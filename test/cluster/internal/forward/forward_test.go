// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// ioTimeout bounds every read and write of these tests.
const ioTimeout = 10 * time.Second

// answering is a server that reads to the client's end of writing and then
// answers: it needs half-closed connections to be carried as such.
func answering(prefix string) string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(listener.Close)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				content, err := io.ReadAll(conn)
				if err != nil {
					return
				}
				if _, err := conn.Write(append([]byte(prefix), content...)); err != nil {
					return
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// freeAddress is an address of the loopback that nothing listens at.
func freeAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}

func dial(address string) *net.TCPConn {
	GinkgoHelper()
	conn, err := net.Dial("tcp", address)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { closeQuietly(conn) })
	Expect(conn.SetDeadline(time.Now().Add(ioTimeout))).To(Succeed())
	return conn.(*net.TCPConn)
}

var _ = Describe("a forward", func() {
	var (
		socket string
		ended  chan error
		stop   context.CancelFunc
		ctx    context.Context
	)

	serve := func() {
		// The goroutine keeps what this test has, not what the next one gets.
		ctx, socket, ended := ctx, socket, ended
		go func() { ended <- ServeDial(ctx, socket, "127.0.0.1") }()
	}
	forwardTo := func(target string) string {
		GinkgoHelper()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		ctx, socket, ended := ctx, socket, ended
		go func() { ended <- Serve(ctx, listener, socket, target) }()
		return listener.Addr().String()
	}

	BeforeEach(func() {
		// A socket's path is at most 108 bytes long: the suite's own folders
		// for temporary files are too deep.
		dir, err := os.MkdirTemp("", "forward")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(os.RemoveAll, dir)
		socket = filepath.Join(dir, "dial.sock")
		ctx, stop = context.WithCancel(context.Background())
		DeferCleanup(stop)
		ended = make(chan error, 20)
		serve()
		Eventually(func() error {
			conn, err := net.Dial("unix", socket)
			if err != nil {
				return err
			}
			return conn.Close()
		}).WithTimeout(ioTimeout).Should(Succeed())
	})

	It("carries both directions, and the end of one of them", func() {
		conn := dial(forwardTo(answering("got: ")))
		content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		_, err := conn.Write(content)
		Expect(err).NotTo(HaveOccurred())
		Expect(conn.CloseWrite()).To(Succeed())
		answer, err := io.ReadAll(conn)
		Expect(err).NotTo(HaveOccurred())
		Expect(bytes.Equal(answer, append([]byte("got: "), content...))).To(BeTrue())
	})

	It("closes connections to a target that is not there, and goes on", func() {
		local := forwardTo(freeAddress())
		for range 2 {
			rest, err := io.ReadAll(dial(local))
			Expect(rest).To(BeEmpty())
			Expect(errors.Is(err, os.ErrDeadlineExceeded)).To(BeFalse(), "it was left open")
		}
	})

	It("tells the target when the client hangs up", func() {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(listener.Close)
		conn := dial(forwardTo(listener.Addr().String()))
		target, err := listener.Accept()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(target.Close)
		Expect(target.SetDeadline(time.Now().Add(ioTimeout))).To(Succeed())
		Expect(conn.Close()).To(Succeed())
		_, err = target.Read(make([]byte, 1))
		Expect(err).To(MatchError(io.EOF))
	})

	It("keeps two forwards apart", func() {
		first, second := forwardTo(answering("first ")), forwardTo(answering("second "))
		for local, want := range map[string]string{first: "first ", second: "second "} {
			conn := dial(local)
			Expect(conn.CloseWrite()).To(Succeed())
			Expect(io.ReadAll(conn)).To(BeEquivalentTo(want))
		}
	})

	It("ends when it is told to, and lets go of its port", func() {
		local := forwardTo(answering(""))
		dial(local)
		stop()
		for range 2 {
			Eventually(ended).WithTimeout(ioTimeout).Should(Receive(BeNil()))
		}
		listener, err := net.Listen("tcp", local)
		Expect(err).NotTo(HaveOccurred())
		Expect(listener.Close()).To(Succeed())
	})

	It("takes over the socket that a killed process left", func() {
		stop()
		Eventually(ended).WithTimeout(ioTimeout).Should(Receive(BeNil()))
		Expect(os.WriteFile(socket, nil, 0o600)).To(Succeed())
		ctx, stop = context.WithCancel(context.Background())
		DeferCleanup(stop)
		serve()
		local := forwardTo(answering("again"))
		Eventually(func() ([]byte, error) {
			conn := dial(local)
			if err := conn.CloseWrite(); err != nil {
				return nil, err
			}
			return io.ReadAll(conn)
		}).WithTimeout(ioTimeout).Should(BeEquivalentTo("again"))
	})

	It("says when the cluster is not there", func() {
		_, err := Dial(ctx, socket+".missing", "127.0.0.1:1")
		Expect(err).To(MatchError(ContainSubstring("connecting to the cluster")))
	})

	It("closes a dial request that is none", func() {
		conn, err := net.Dial("unix", socket)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { closeQuietly(conn) })
		_, err = io.WriteString(conn, "no target\n")
		Expect(err).NotTo(HaveOccurred())
		Expect(conn.SetDeadline(time.Now().Add(ioTimeout))).To(Succeed())
		Expect(io.ReadAll(conn)).To(BeEmpty())
	})
})
