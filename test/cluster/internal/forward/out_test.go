// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// connectProxy is an HTTP proxy that only knows CONNECT, leads every request
// to one target, and wants a password.
func connectProxy(target string, asked *atomic.Value) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer GinkgoRecover()
		asked.Store(r.Method + " " + r.Host)
		if r.Header.Get("Proxy-Authorization") != "Basic dXNlcjpwYXNz" { // user:pass
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		outside, err := net.Dial("tcp", target)
		Expect(err).NotTo(HaveOccurred())
		w.WriteHeader(http.StatusOK)
		conn, buffer, err := w.(http.Hijacker).Hijack()
		Expect(err).NotTo(HaveOccurred())
		splice(conn, buffer, outside)
	}))
	DeferCleanup(server.Close)
	return server.Listener.Addr().String()
}

var _ = Describe("the way out", func() {
	BeforeEach(func() {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} {
			GinkgoT().Setenv(name, "")
		}
	})

	// exchange goes in at a listener that ServeOut serves.
	exchange := func(target string) string {
		GinkgoHelper()
		ctx, stop := context.WithCancel(context.Background())
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		ended := make(chan error, 1)
		go func() { ended <- ServeOut(ctx, listener, target) }()
		DeferCleanup(func() {
			stop()
			Eventually(ended).Should(Receive(Not(HaveOccurred())))
		})
		conn := dial(listener.Addr().String())
		_, err = io.WriteString(conn, "question")
		Expect(err).NotTo(HaveOccurred())
		Expect(conn.CloseWrite()).To(Succeed())
		content, err := io.ReadAll(conn)
		Expect(err).NotTo(HaveOccurred())
		return string(content)
	}

	It("leads to the target", func() {
		Expect(exchange(answering("answer to "))).To(Equal("answer to question"))
	})

	It("leads through a proxy, which gets the name and the password", func() {
		var asked atomic.Value
		GinkgoT().Setenv("HTTPS_PROXY", "http://user:pass@"+connectProxy(answering("answer to "), &asked))
		Expect(exchange("api.example.com:443")).To(Equal("answer to question"))
		Expect(asked.Load()).To(Equal("CONNECT api.example.com:443"))
	})

	It("leads around the proxy where NO_PROXY says so", func() {
		// The proxy leaves this machine's own addresses out in any case.
		GinkgoT().Setenv("HTTPS_PROXY", "http://"+freeAddress())
		Expect(exchange(answering("answer to "))).To(Equal("answer to question"))
		GinkgoT().Setenv("NO_PROXY", "api.example.invalid")
		_, err := DialOut(context.Background(), "api.example.invalid:443")
		Expect(err).To(MatchError(Not(ContainSubstring("proxy"))))
	})

	It("closes the connection where there is none", func() {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		ctx, stop := context.WithCancel(context.Background())
		DeferCleanup(stop)
		ended := make(chan error, 1)
		go func() { ended <- ServeOut(ctx, listener, freeAddress()) }()
		_, err = dial(listener.Addr().String()).Read(make([]byte, 1))
		Expect(err).To(HaveOccurred())
	})

	DescribeTable("says what is wrong with a proxy, and keeps its password to itself", func(proxy func() string, words string) {
		GinkgoT().Setenv("HTTPS_PROXY", proxy())
		_, err := DialOut(context.Background(), "api.example.com:443")
		Expect(err).To(MatchError(And(ContainSubstring(words), ContainSubstring("HTTPS_PROXY"), Not(ContainSubstring("hunter2")))))
	},
		Entry("nobody listens", func() string { return "http://user:hunter2@" + freeAddress() }, "refused"),
		Entry("it refuses", func() string {
			var asked atomic.Value
			return "http://user:hunter2@" + connectProxy(freeAddress(), &asked)
		}, "407"),
		Entry("another scheme", func() string { return "socks5://user:hunter2@proxy.example.com" }, "socks5"),
	)

	It("listens in the namespace of a process", func(ctx SpecContext) {
		if os.Geteuid() != 0 {
			_, err := ListenInside(ctx, os.Getpid(), "127.0.0.1:0")
			Expect(err).To(MatchError(os.ErrPermission))
			return
		}
		listener, err := ListenInside(ctx, os.Getpid(), "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(listener.Close)
		Expect(dial(listener.Addr().String())).NotTo(BeNil())
	})
})
