// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// stamp puts the external processor's stamp on an answer.
func stamp(w http.ResponseWriter, hash, route string) {
	w.Header().Set("x-tarsbackend-config-hash", hash)
	w.Header().Set("x-tarsbackend-route-hash", route)
}

// answer is a handler with a status and a stamp; an empty hash: no stamp.
func answer(status int, hash, route string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if hash != "" {
			stamp(w, hash, route)
		}
		w.WriteHeader(status)
	}
}

var right = answer(http.StatusOK, configHash, routeHash)

// serve starts an HTTP server on loopback and returns its address.
func serve(handler http.HandlerFunc) string {
	server := httptest.NewServer(handler)
	DeferCleanup(server.Close)
	return server.Listener.Addr().String()
}

// converse starts a TCP server that does something to each connection.
func converse(with func(net.Conn)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(listener.Close)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			with(c)
			runtime.KeepAlive(c) // a connection that is not used any more would be closed
		}
	}()
	return listener.Addr().String()
}

// nobody is an address where nobody listens.
func nobody() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	Expect(listener.Close()).To(Succeed())
	return listener.Addr().String()
}

func testPlan(targets ...Target) Plan {
	return Plan{Path: "/v1/canary", ConfigHash: configHash, RouteHash: routeHash, Agreement: 3, Targets: targets}
}

const answerTimeout = 50 * time.Millisecond

var _ = Describe("one question", func() {
	ask := func(ctx SpecContext, address string) state {
		return newAsker(time.Second, 10*time.Second).row(ctx, testPlan(), Target{Address: address, Host: "llm.example.com"}, 1)
	}

	It("has the plan's path byte for byte and the target's host, on a connection of its own, and follows no redirect", func(ctx SpecContext) {
		var remotes []string
		address := serve(func(w http.ResponseWriter, r *http.Request) {
			defer GinkgoRecover()
			Expect(r.Method + " " + r.RequestURI + " " + r.Proto).To(Equal("GET /a!b(c)*;=/v1/canary HTTP/1.1"))
			Expect(r.Host).To(Equal("llm.example.com"))
			Expect(r.Close).To(BeTrue())
			remotes = append(remotes, r.RemoteAddr)
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		})
		a := newAsker(time.Second, 10*time.Second)
		plan := testPlan()
		plan.Path = "/a!b(c)*;=/v1/canary"
		for range 2 {
			s := a.row(ctx, plan, Target{Address: address, Host: "llm.example.com"}, 1)
			Expect(s.outcome).To(Equal(conditions.ProbeWrong))
		}
		Expect(remotes).To(HaveLen(2))
		Expect(remotes[0]).NotTo(Equal(remotes[1]))
	})

	It("comes in a row over one connection, which ends with the last", func(ctx SpecContext) {
		var remotes []string
		var last []bool
		address := serve(func(w http.ResponseWriter, r *http.Request) {
			remotes, last = append(remotes, r.RemoteAddr), append(last, r.Close)
			right(w, r)
			_, err := w.Write([]byte(`{"object":"list"}`)) // what is not read keeps the connection from the next question
			Expect(err).NotTo(HaveOccurred())
		})
		s := newAsker(time.Second, 10*time.Second).row(ctx, testPlan(), Target{Address: address}, 3)
		Expect(s.outcome).To(Equal(conditions.ProbeVerified))
		Expect(remotes).To(HaveLen(3))
		Expect(remotes).To(HaveEach(remotes[0]))
		Expect(last).To(Equal([]bool{false, false, true}))
	})
	It("goes over a new connection where Envoy ended the one before", func(ctx SpecContext) {
		connections := 0
		address := converse(func(conn net.Conn) {
			defer GinkgoRecover()
			connections++
			_, err := http.ReadRequest(bufio.NewReader(conn))
			Expect(err).NotTo(HaveOccurred())
			_, err = fmt.Fprintf(conn, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n%s: %s\r\n%s: %s\r\ncontent-length: 0\r\n\r\n",
				config.HeaderConfigHash, configHash, config.HeaderRouteHash, routeHash)
			Expect(errors.Join(err, conn.Close())).NotTo(HaveOccurred())
		})
		s := newAsker(time.Second, 10*time.Second).row(ctx, testPlan(), Target{Address: address}, 3)
		Expect(s.outcome).To(Equal(conditions.ProbeVerified))
		Expect(connections).To(Equal(3))
	})
	It("reads no more of an answer than it needs, and asks on", func(ctx SpecContext) {
		asked := 0
		address := serve(func(w http.ResponseWriter, r *http.Request) {
			asked++
			right(w, r)
			_, _ = w.Write(make([]byte, 1<<20)) //nolint:errcheck // who asks may have gone
		})
		s := newAsker(time.Second, 10*time.Second).row(ctx, testPlan(), Target{Address: address}, 3)
		Expect(s.outcome).To(Equal(conditions.ProbeVerified))
		Expect(asked).To(Equal(3))
	})
	It("ends with the context, in the middle of an answer too", func(ctx SpecContext) {
		begun, done := make(chan struct{}), make(chan struct{})
		address := serve(func(w http.ResponseWriter, r *http.Request) {
			right(w, r)
			Expect(http.NewResponseController(w).Flush()).To(Succeed())
			close(begun)
			<-done
		})
		DeferCleanup(func() { close(done) })
		short, cancel := context.WithCancel(ctx)
		go func() {
			<-begun
			cancel()
		}()
		s := newAsker(time.Second, time.Minute).row(short, testPlan(), Target{Address: address}, 1)
		Expect(s.outcome).To(Equal(conditions.ProbeUnreachable))
	})
	It("ends a row, and its connection, with the first answer that is not right", func(ctx SpecContext) {
		asked, ended := 0, make(chan struct{})
		address := converse(func(conn net.Conn) {
			defer GinkgoRecover()
			defer close(ended)
			requests := bufio.NewReader(conn)
			for _, hash := range []string{configHash, "aaaa"} {
				_, err := http.ReadRequest(requests)
				Expect(err).NotTo(HaveOccurred())
				asked++
				_, err = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s: %s\r\n%s: %s\r\ncontent-length: 0\r\n\r\n",
					config.HeaderConfigHash, hash, config.HeaderRouteHash, routeHash)
				Expect(err).NotTo(HaveOccurred())
			}
			_, err := requests.ReadByte()
			Expect(err).To(MatchError(io.EOF))
		})
		s := newAsker(time.Second, 10*time.Second).row(ctx, testPlan(), Target{Address: address}, 3)
		Expect(s.outcome).To(Equal(conditions.ProbeStale))
		Eventually(ended).Should(BeClosed())
		Expect(asked).To(Equal(2))
	})

	DescribeTable("understands an answer", func(ctx SpecContext, handler http.HandlerFunc, outcome conditions.ProbeOutcome, detail string) {
		s := ask(ctx, serve(handler))
		Expect(s.outcome).To(Equal(outcome), s.detail)
		if detail == "" {
			Expect(s.detail).To(BeEmpty())
		}
		Expect(s.detail).To(ContainSubstring(detail))
	},
		Entry("of the current configuration", right, conditions.ProbeVerified, ""),
		Entry("401 of a filter before the external processor, stamped", answer(401, configHash, routeHash), conditions.ProbeVerified, ""),
		Entry("403 of a filter before the external processor, stamped", answer(403, configHash, routeHash), conditions.ProbeVerified, ""),
		Entry("500, stamped", answer(500, configHash, routeHash), conditions.ProbeWrong, "answered 500, although the external processor ran"),
		Entry("429, stamped", answer(429, configHash, routeHash), conditions.ProbeWrong, "429"),
		Entry("of another configuration", answer(200, "aaaa", routeHash), conditions.ProbeStale,
			"answers with configuration aaaa instead of "+configHash),
		Entry("401 of another configuration", answer(401, "aaaa", routeHash), conditions.ProbeStale, "aaaa"),
		Entry("of an older route", answer(200, configHash, "bbbb"), conditions.ProbeStale, "hash bbbb instead of "+routeHash),
		Entry("of a route without a hash", answer(200, configHash, ""), conditions.ProbeStale, `hash "" instead of`),
		Entry("of a stamp that is no hash, without quoting it", answer(200, "<script>", routeHash), conditions.ProbeStale, "(8 bytes that are no hash)"),
		Entry("of a stamp that is too long, without quoting it", answer(200, strings.Repeat("a", 33), routeHash), conditions.ProbeStale,
			"(33 bytes that are no hash)"),
		Entry("404 of Envoy", answer(404, "", ""), conditions.ProbeWrong, "no route for this path yet"),
		Entry("503 of somebody else", answer(503, "", ""), conditions.ProbeWrong, "answered 503 without passing"),
		Entry("503 of the entry rule, or for the external processor", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-tarsbackend-error-source", "extproc")
			w.WriteHeader(503)
		}, conditions.ProbeWrong, "answered 503 in place of the external processor"),
		Entry("510 of a failed external processor", answer(510, "", ""), conditions.ProbeWrong, "answered 510: the external processor is down"),
		Entry("500 of an invalid policy", answer(500, "", ""), conditions.ProbeWrong, "something invalid in the route or its policies"),
		Entry("401 without a stamp", answer(401, "", ""), conditions.ProbeWrong, "answered 401 without passing the external processor"),
		Entry("403 without a stamp", answer(403, "", ""), conditions.ProbeWrong, "policy of the Gateway refuses"),
		Entry("a redirect", answer(301, "", ""), conditions.ProbeWrong, "another HTTPRoute redirects"),
		Entry("200 of somebody else", answer(200, "", ""), conditions.ProbeWrong, "another HTTPRoute takes the path"),
		Entry("400", answer(400, "", ""), conditions.ProbeWrong, "answered 400 without passing the external processor"),
		Entry("with headers beyond every bound", func(w http.ResponseWriter, _ *http.Request) {
			stamp(w, configHash, routeHash)
			w.Header().Set("x", strings.Repeat("x", maxHeaderBytes))
		}, conditions.ProbeImpossible, "something that is not HTTP"),
	)

	It("understands a refused connection", func(ctx SpecContext) {
		Expect(ask(ctx, nobody())).To(Equal(state{conditions.ProbeUnreachable,
			"refused the connection: its listener is not there yet, or gone"}))
	})
	It("knows who refuses connections to a Service", func(ctx SpecContext) {
		s := newAsker(time.Second, answerTimeout).row(ctx, testPlan(), Target{Service: "eg/envoy", Address: nobody()}, 1)
		Expect(s.outcome).To(Equal(conditions.ProbeUnreachable))
		Expect(s.detail).To(ContainSubstring("kube-proxy"))
	})
	It("understands silence", func(ctx SpecContext) {
		done := make(chan struct{})
		address := serve(func(http.ResponseWriter, *http.Request) { <-done })
		DeferCleanup(func() { close(done) })
		s := newAsker(time.Second, answerTimeout).row(ctx, testPlan(), Target{Address: address}, 1)
		Expect(s).To(Equal(state{conditions.ProbeUnreachable, "no answer within 50ms"}))
	})
	It("understands silence after an answer over the same connection", func(ctx SpecContext) {
		for range 20 {
			asked := 0
			address := serve(func(w http.ResponseWriter, r *http.Request) {
				if asked++; asked > 1 {
					<-r.Context().Done() // who asks has hung up
				}
				right(w, r)
			})
			s := newAsker(time.Second, answerTimeout).row(ctx, testPlan(), Target{Address: address}, 2)
			Expect(s).To(Equal(state{conditions.ProbeUnreachable, "no answer within 50ms"}))
		}
	})
	It("understands a connection that is not made in time", func() {
		a := newAsker(time.Second, time.Second)
		s := a.noAnswer(a.newLine(Target{}), &net.OpError{Op: "dial", Err: context.DeadlineExceeded})
		Expect(s.detail).To(ContainSubstring("no connection within 1s"))
		Expect(s.outcome).To(Equal(conditions.ProbeImpossible))
	})
	DescribeTable("understands what is not HTTP, and quotes none of it", func(ctx SpecContext, with func(net.Conn)) {
		s := ask(ctx, converse(with))
		Expect(s.outcome).To(Equal(conditions.ProbeImpossible))
		Expect(s.detail).To(And(ContainSubstring("the PROXY protocol or TLS"), Not(ContainSubstring("planted"))))
	},
		Entry("an end", func(c net.Conn) {
			defer GinkgoRecover()
			Expect(c.Close()).To(Succeed())
		}),
		Entry("other bytes", func(c net.Conn) {
			defer GinkgoRecover()
			_, err := c.Write([]byte("planted bytes\r\n\r\n"))
			Expect(err).NotTo(HaveOccurred())
			tcp, ok := c.(*net.TCPConn)
			Expect(ok).To(BeTrue())
			Expect(tcp.CloseWrite()).To(Succeed())
		}),
	)
	DescribeTable("does not dial a name", func(ctx SpecContext, address string) {
		Expect(ask(ctx, address).detail).To(Equal("its address is not an IP address and a port"))
	},
		Entry("localhost", "localhost:80"), Entry("nothing", ""), Entry("no port", "127.0.0.1"),
	)
})
