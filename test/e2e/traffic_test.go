// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	bigPrompt = 20 << 20
	// longStream is a stream far beyond every default time limit of Envoy
	// (15 s) and of Envoy Gateway.
	longStream = 60 * time.Second
)

var _ = Describe("Traffic", Ordered, func() {
	b := backend{name: "traffic", gateway: gatewayName, prefix: "/traffic", extra: "models: {aliases: [{name: fast, model: xai/grok-4.5}]}"}
	var base string

	BeforeAll(func() {
		b.namespace = newNamespace("traffic")
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)
		base = lab.base + b.prefix
	})

	It("carries a prompt of 20 MB unchanged", func() {
		prompt := strings.Repeat("The quick brown fox. ", bigPrompt/21)
		sum := sha256.Sum256([]byte(prompt))
		a, err := ask(base, chatBody(chatModel, prompt, false), nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(a.Status).To(Equal(http.StatusOK), a.Body)
		Expect(a.Body).To(ContainSubstring(hex.EncodeToString(sum[:])))
	})

	It("carries a stream of 60 s without a cut or a stall", func() {
		req, err := chatRequest(context.Background(), base, chatBody(chatModel, "long", true), map[string]string{
			"x-fake-duration": longStream.String(), "x-fake-chunks": "120",
		})
		Expect(err).NotTo(HaveOccurred())
		s, err := readStream(req)
		Expect(err).NotTo(HaveOccurred())
		Expect(s.last).To(Equal("[DONE]"))
		Expect(s.events).To(BeNumerically(">=", 120))
		Expect(s.took).To(BeNumerically(">=", longStream-time.Second))
		Expect(s.maxGap).To(BeNumerically("<", 5*time.Second))
	})

	It("sends the upstream the key and no header of the client that it must not see", func() {
		Expect(lab.standIn.Forget(context.Background())).To(Succeed())
		a, err := ask(base, chatBody("fast", "headers", false), map[string]string{
			"authorization": "Bearer of-the-app", "x-api-key": "app", "x-tars-api-key": "app", "cookie": "a=b",
			"x-tarsbackend-pass": "guess", "x-forwarded-for": "1.2.3.4", "x-tars-supports-reasoning": "true",
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(a.Status).To(Equal(http.StatusOK), a.Body)
		entries, err := lab.standIn.Ledger(context.Background(), chatEntries)
		Expect(err).NotTo(HaveOccurred())
		Expect(entries).To(HaveLen(1))
		Expect(entries[0].KeyKnown).To(BeTrue())
		Expect(entries[0].ModelAsked).To(Equal("xai/grok-4.5"))
		Expect(entries[0].HeaderNames).To(ContainElement("x-tars-supports-reasoning"))
		Expect(entries[0].HeaderNames).NotTo(ContainElements(
			Or(HavePrefix("x-tarsbackend-"), Equal("x-api-key"), Equal("x-tars-api-key"), Equal("cookie"), HavePrefix("x-forwarded-"))))
	})

	It("answers the rows of the error table in the caller's shape", func() {
		for _, row := range []struct {
			body, contentType string
			status            int
			code              string
		}{
			{`{"model": `, "application/json", http.StatusBadRequest, "invalid_request_error"},
			{`{"messages": []}`, "application/json", http.StatusBadRequest, "invalid_request_error"},
			{`model=x`, "application/x-www-form-urlencoded", http.StatusUnsupportedMediaType, "invalid_request_error"},
			{strings.Repeat(" ", 33<<20) + "{}", "application/json", http.StatusRequestEntityTooLarge, "invalid_request_error"},
		} {
			a, err := ask(base, []byte(row.body), map[string]string{"content-type": row.contentType})
			Expect(err).NotTo(HaveOccurred())
			Expect(a.Status).To(Equal(row.status), a.Body)
			Expect(a.Header.Get("x-tarsbackend-error-source")).To(Equal("client"))
			Expect(a.Body).To(And(ContainSubstring(`"error"`), ContainSubstring(row.code)))
		}
		a, err := ask(base, chatBody(chatModel, "limit", false), map[string]string{"x-fake-error": "429"})
		Expect(err).NotTo(HaveOccurred())
		Expect(a.Status).To(Equal(http.StatusTooManyRequests), a.Body)
		Expect(a.Header.Get("x-tarsbackend-error-source")).To(Equal("tars"))
		Expect(a.Header.Get("retry-after")).NotTo(BeEmpty())
	})
})
