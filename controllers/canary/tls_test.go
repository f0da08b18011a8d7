// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// serveTLS starts an HTTPS server on loopback whose certificate is for names and
// a time.
func serveTLS(auth tls.ClientAuthType, from, to time.Time, names ...string) string {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: to, DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &secret.PublicKey, secret)
	Expect(err).NotTo(HaveOccurred())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "llm.example.com" && r.TLS.ServerName == r.Host {
			right(w, r)
		}
	}))
	server.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: auth,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: secret}},
	}
	server.StartTLS()
	DeferCleanup(server.Close)
	return server.Listener.Addr().String()
}

// converseAndClose is where every connection ends at once.
func converseAndClose() string {
	return converse(func(c net.Conn) {
		defer GinkgoRecover()
		Expect(c.Close()).To(Succeed())
	})
}

var _ = Describe("an HTTPS listener", func() {
	now := time.Now()
	hour := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) }
	ask := func(ctx SpecContext, address, host string) state {
		return newAsker(5*time.Second, 10*time.Second).row(ctx, testPlan(), Target{Address: address, Host: host, TLS: true}, 1)
	}
	It("is asked by its name, whoever signed its certificate", func(ctx SpecContext) {
		s := ask(ctx, serveTLS(tls.NoClientCert, hour(-1), hour(1), "llm.example.com"), "llm.example.com")
		Expect(s).To(Equal(state{outcome: conditions.ProbeVerified}))
	})
	It("may ask for a client certificate without needing one", func(ctx SpecContext) {
		s := ask(ctx, serveTLS(tls.RequestClientCert, hour(-1), hour(1), "llm.example.com"), "llm.example.com")
		Expect(s.outcome).To(Equal(conditions.ProbeVerified))
	})
	It("cannot be asked where it needs one", func(ctx SpecContext) {
		s := ask(ctx, serveTLS(tls.RequireAnyClientCert, hour(-1), hour(1), "llm.example.com"), "llm.example.com")
		Expect(s.outcome).To(Equal(conditions.ProbeImpossible))
		Expect(s.detail).To(ContainSubstring("client certificate"))
	})
	It("cannot be asked where the handshake ends", func(ctx SpecContext) {
		s := ask(ctx, converseAndClose(), "llm.example.com")
		Expect(s.outcome).To(Equal(conditions.ProbeImpossible))
		Expect(s.detail).To(ContainSubstring("ended the TLS handshake"))
	})
	It("is wrong in plain text", func(ctx SpecContext) {
		Expect(ask(ctx, serve(right), "llm.example.com").outcome).To(Equal(conditions.ProbeImpossible))
	})
	DescribeTable("is wrong with a certificate that no client takes", func(ctx SpecContext, from, to int, name, words string) {
		s := ask(ctx, serveTLS(tls.NoClientCert, hour(from), hour(to), name), "llm.example.com")
		Expect(s.outcome).To(Equal(conditions.ProbeWrong))
		Expect(s.detail).To(ContainSubstring(words))
	},
		Entry("that ended", -48, -24, "llm.example.com", "ended on "+hour(-24).UTC().Format(time.DateOnly)),
		Entry("that has not begun", 24, 48, "llm.example.com", "begins on "+hour(24).UTC().Format(time.DateOnly)),
		Entry("of other names", -1, 1, "other.example.com", "for llm.example.com with a certificate of other names"),
	)
	It("is not asked for a name of ours", func() {
		l := newListenerTLS(Target{Host: canaryLabel + ".example.com"}, time.Now)
		Expect(l.judge(&x509.Certificate{NotBefore: hour(-1), NotAfter: hour(1), DNSNames: []string{"a.example.com"}})).To(BeEmpty())
	})
})
