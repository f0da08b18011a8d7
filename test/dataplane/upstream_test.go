// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/dataplane/harness"
)

// fullTimeout is how long a connection on loopback needs at most: one that takes
// longer is not going to be.
const fullTimeout = 500 * time.Millisecond

// upstream stands where TARS is and does what a spec says, to the byte: for
// what the stand-in of test/tarsfake does not do on demand.
type upstream struct {
	*httptest.Server

	mu       sync.Mutex
	handlers map[string]http.HandlerFunc // by request id
	seen     []*http.Request
}

// startUpstream serves HTTP/2 over TLS as TARS does, or HTTP/1.1 in plain
// text.
func startUpstream(overTLS bool) *upstream {
	u := &upstream{handlers: map[string]http.HandlerFunc{}}
	u.Server = httptest.NewUnstartedServer(u)
	if overTLS {
		u.EnableHTTP2 = true
		u.StartTLS()
	} else {
		u.Start()
	}
	return u
}

// config is its cluster in Envoy.
func (u *upstream) config() harness.Upstream {
	GinkgoHelper()
	_, port, err := net.SplitHostPort(u.Listener.Addr().String())
	Expect(err).NotTo(HaveOccurred())
	c := harness.Upstream{Port: port}
	if cert := u.Certificate(); cert != nil {
		c.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
	return c
}

// answer says how the request of an id is answered; other requests get 200
// and no body.
func (u *upstream) answer(id string, handler http.HandlerFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.handlers[id] = handler
}

// ServeHTTP implements http.Handler.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	handler := u.handlers[r.Header.Get("x-request-id")]
	u.seen = append(u.seen, r)
	u.mu.Unlock()
	if handler != nil {
		handler(w, r)
	}
}

// resetStream ends a stream of HTTP/2 without an answer: that is what a
// deadline that has passed does.
func resetStream(w http.ResponseWriter, _ *http.Request) {
	if err := http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)); err != nil {
		GinkgoWriter.Println("upstream:", err)
	}
}

// requests returns what reached it under an id.
func (u *upstream) requests(id string) []*http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	var found []*http.Request
	for _, r := range u.seen {
		if r.Header.Get("x-request-id") == id {
			found = append(found, r)
		}
	}
	return found
}

// blackHole is a port that lets no connection come to be: its queue of
// connections that nobody takes is full.
func blackHole() string {
	GinkgoHelper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(syscall.Close(socket)).To(Succeed()) })
	Expect(syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})).To(Succeed())
	Expect(syscall.Listen(socket, 0)).To(Succeed())
	name, err := syscall.Getsockname(socket)
	Expect(err).NotTo(HaveOccurred())
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for {
		conn, err := net.DialTimeout("tcp", address, fullTimeout)
		if err != nil {
			return port(address)
		}
		DeferCleanup(conn.Close)
	}
}
