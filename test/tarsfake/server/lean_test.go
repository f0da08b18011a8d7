// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

var _ = Describe("A lean stand-in", func() {
	ask := func(f fake, chunks int) string {
		GinkgoHelper()
		client, base := f.client(http1)
		req, err := http.NewRequest(http.MethodPost, base+"/v1/chat/completions", strings.NewReader("no JSON at all"))
		Expect(err).NotTo(HaveOccurred())
		req.Header.Set("x-fake-chunks", strconv.Itoa(chunks))
		resp, err := client.Do(req)
		Expect(err).NotTo(HaveOccurred())
		defer resp.Body.Close()
		Expect(resp.StatusCode).To(Equal(http.StatusOK))
		body, err := io.ReadAll(resp.Body)
		Expect(err).NotTo(HaveOccurred())
		return string(body)
	}

	It("answers without reading the body, and its ledger has the sums of what it told", func() {
		f := start(server.Options{Lean: true})
		Expect(ask(f, 0)).To(ContainSubstring(`"prompt_tokens":11,"completion_tokens":3,"total_tokens":14`))
		stream := ask(f, 3)
		Expect(strings.Count(stream, "data: ")).To(Equal(5), "three pieces, usage, [DONE]")
		Expect(strings.Count(stream, `"content":`)).To(Equal(2))
		Expect(stream).To(MatchRegexp(`(?s)"delta":\{"role":"assistant".*"delta":\{"content":" of"\}.*"delta":\{\},"logprobs":null,"finish_reason":"stop"`))
		Expect(stream).To(ContainSubstring(`"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":4,`))
		sums := f.Ledger.Summary()
		Expect(sums.Requests).To(BeEquivalentTo(2))
		Expect(sums.Sent.Input).To(BeEquivalentTo(11 + 12))
		Expect(sums.Sent.Output).To(BeEquivalentTo(3 + 4))
		Expect(sums.BodyBytes).To(BeEquivalentTo(2 * len("no JSON at all")))
		Expect(sums.Statuses).To(HaveKeyWithValue("200", BeEquivalentTo(2)))
	})
})
