// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/certs"
	"github.com/tars-operator/tars-operator/test/tarsfake/ledger"
	"github.com/tars-operator/tars-operator/test/tarsfake/reply"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

// large is a prompt of more than 20 MB.
const large = 24 << 20

var _ = Describe("The server", func() {
	DescribeTable("reads a body of 24 MB whole, by", func(way string) {
		f := start(server.Options{})
		body := strings.Repeat("0123456789abcdef", large/16)
		a := f.do(call{way: way, method: "POST", path: "/v1/files", body: body})
		Expect(a.Err).NotTo(HaveOccurred())
		Expect(a.Status).To(Equal(http.StatusNotFound))
		digest := reply.Digest([]byte(body))
		Expect(a.Header.Get("x-fake-body-sha256")).To(Equal(digest))
		Expect(f.last()).To(And(HaveField("BodyBytes", int64(large)), HaveField("BodySHA256", digest)))
	}, everyWay)

	It("answers a prompt of megabytes", func() {
		f := start(server.Options{})
		text := strings.Repeat("0123456789abcde\u00e9", 1<<16)
		body := `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"` + text + `"}]}`
		a := f.ask(reply.Chat, body)
		Expect(a.Status).To(Equal(http.StatusOK))
		Expect(a.Header.Get("x-fake-prompt-sha256")).To(Equal(reply.Digest([]byte(text))))
	})

	It("refuses a body over its bound", func() {
		f := start(server.Options{MaxBody: int64(len(chat))})
		Expect(f.ask(reply.Chat, chat).Status).To(Equal(http.StatusOK))
		a := f.ask(reply.Chat, chat+" ")
		Expect(a.Status).To(Equal(http.StatusRequestEntityTooLarge))
		Expect(at(parsed(a.Body), "error", "code")).To(BeNumerically("==", 413))
		Expect(f.last().BodySHA256).To(BeEmpty())
	})

	It("offers HTTP/2 before HTTP/1.1", func() {
		f := start(server.Options{Hosts: []string{"tars.example.com"}})
		address := strings.TrimPrefix(f.SecureURL(), "https://")
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1", "h2"}})
		Expect(err).NotTo(HaveOccurred())
		defer conn.Close()
		state := conn.ConnectionState()
		Expect(state.NegotiatedProtocol).To(Equal("h2"))
		Expect(state.PeerCertificates[0].DNSNames).To(Equal([]string{"tars.example.com"}))
	})

	It("serves the certificate that it was given", func() {
		bundle, err := certs.Generate([]string{"api.router.tetrate.ai"})
		Expect(err).NotTo(HaveOccurred())
		f := start(server.Options{Bundle: bundle})
		Expect(f.CA()).To(Equal(bundle.CA))
		Expect(f.do(call{way: http2s, method: "GET", path: "/"}).Status).To(Equal(http.StatusOK))
	})

	It("says which address it cannot take", func() {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		defer taken.Close()
		_, err = server.Start(server.Options{Admin: taken.Addr().String()})
		Expect(err).To(MatchError(ContainSubstring("address already in use")))
	})

	It("refuses a certificate that is none", func() {
		_, err := server.Start(server.Options{Bundle: certs.Bundle{Cert: []byte("x")}})
		Expect(err).To(MatchError(ContainSubstring("using the certificate")))
	})

	It("does not wait for a slow client when it is closed", func() {
		f := start(server.Options{})
		u := f.upload()
		Expect(f.Close()).To(Succeed())
		Eventually(f.last).Should(HaveField("Outcome", ledger.ClientGone))
		Expect(u.writer.Close()).To(Succeed())
		Eventually(u.done).Should(Receive(HaveField("Err", HaveOccurred())))
	})

	It("cuts who waits when it stops, and lets others end", func() {
		f := start(server.Options{})
		done := map[string]chan answer{"x-fake-silent": make(chan answer, 1), "x-fake-split-gap": make(chan answer, 1)}
		for name, value := range map[string]string{"x-fake-silent": "true", "x-fake-split-gap": "0s"} {
			go func() {
				defer GinkgoRecover()
				done[name] <- f.do(call{method: "POST", path: "/v1/chat/completions", body: chat, header: []string{name, value, "x-fake-split", "1"}})
			}()
		}
		Eventually(func(g Gomega) {
			g.Expect(f.Ledger.List(ledger.Filter{}).Entries).To(HaveLen(2))
		}).Should(Succeed())
		ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
		defer cancel()
		begin := time.Now()
		Expect(f.Shutdown(ctx)).To(Succeed())
		Expect(time.Since(begin)).To(BeNumerically("<", settleTimeout))
		Expect(<-done["x-fake-silent"]).To(HaveField("Err", HaveOccurred()))
		Expect(<-done["x-fake-split-gap"]).To(HaveField("Err", Not(HaveOccurred())))
		Expect(f.Ledger.List(ledger.Filter{Outcome: ledger.Cut}).Entries).To(HaveLen(1))
	})
})
