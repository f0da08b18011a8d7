// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("the operator's own look at the endpoint", func() {
	var (
		asked  atomic.Int64
		server *httptest.Server
		plan   Upstream
		now    time.Time
		d      *direct
	)
	BeforeEach(func() {
		asked.Store(0)
		server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer GinkgoRecover()
			asked.Add(1)
			Expect(r.Header.Get("authorization")).To(BeEmpty())
			http.Redirect(w, r, "https://192.0.2.1/", http.StatusFound)
		}))
		DeferCleanup(server.Close)
		plan = Upstream{
			Endpoint: server.Listener.Addr().String(), Private: true,
			CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})),
		}
		now = time.Unix(0, 0)
		d = newDirect(func() time.Time { return now })
		d.proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	})

	It("finds one that answers anything, without a key, and follows no redirect", func(ctx SpecContext) {
		Expect(d.look(ctx, plan)).To(Equal(directFound{reached: true}))
		Expect(asked.Load()).To(BeEquivalentTo(1))
	})
	It("is taken once for all TarsBackends of an endpoint", func(ctx SpecContext) {
		d.look(ctx, plan)
		now = now.Add(directMemory - 1)
		d.look(ctx, plan)
		Expect(asked.Load()).To(BeEquivalentTo(1))
		now = now.Add(1)
		d.look(ctx, plan)
		Expect(asked.Load()).To(BeEquivalentTo(2))
		Expect(d.seen).To(HaveLen(1))
	})
	It("keeps nobody waiting for another endpoint that is silent", func(ctx SpecContext) {
		begun, done := make(chan struct{}), make(chan struct{})
		silent := plan
		silent.Endpoint = converse(func(net.Conn) {
			close(begun)
			<-done
		})
		looked := make(chan directFound, 1)
		short, cancel := context.WithCancel(ctx)
		go func() { looked <- d.look(short, silent) }()
		Eventually(begun).Should(BeClosed())
		Expect(d.look(ctx, plan)).To(Equal(directFound{reached: true}))
		Expect(looked).NotTo(Receive())
		cancel()
		Eventually(looked).Should(Receive(Equal(directFound{})))
		close(done)
		Expect(d.seen).To(HaveLen(1), "what was broken off tells nothing")
	})
	It("does not find one that is not trusted, is gone, or is not named", func(ctx SpecContext) {
		other := plan
		other.CA = ""
		Expect(d.look(ctx, other)).To(Equal(directFound{}))
		gone := plan
		gone.Endpoint = nobody()
		Expect(d.look(ctx, gone)).To(Equal(directFound{}))
		Expect(d.look(ctx, Upstream{})).To(Equal(directFound{}))
	})
	It("does not dial a private address unless the host is allowed by name", func(ctx SpecContext) {
		plan.Private = false
		Expect(d.look(ctx, plan)).To(Equal(directFound{}))
		Expect(asked.Load()).To(BeZero())
	})
	It("says when it went through a proxy", func(ctx SpecContext) {
		var connects atomic.Int64
		proxy := serve(func(w http.ResponseWriter, _ *http.Request) {
			connects.Add(1)
			w.WriteHeader(http.StatusForbidden)
		})
		d.proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://" + proxy) }
		plan.Private = false
		Expect(d.look(ctx, plan)).To(Equal(directFound{}))
		Expect(connects.Load()).To(BeEquivalentTo(1), "the proxy's own address may be private")
	})
	DescribeTable("refuses addresses inside", func(address string, allowed bool) {
		Expect(refusePrivate("tcp", address, nil) == nil).To(Equal(allowed))
	},
		Entry("public", "203.0.113.9:443", true), Entry("public, IPv6", "[2001:db8::1]:443", true),
		Entry("private", "10.0.0.1:443", false), Entry("private, IPv6", "[fd00::1]:443", false),
		Entry("private in disguise", "[::ffff:10.0.0.1]:443", false),
		Entry("loopback", "127.0.0.1:443", false), Entry("link-local", "169.254.169.254:80", false),
		Entry("link-local, IPv6", "[fe80::1]:443", false), Entry("shared", "100.64.0.1:443", false),
		Entry("any", "0.0.0.0:443", false), Entry("multicast", "224.0.0.1:443", false), Entry("none", "localhost:443", false),
	)
})
