// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/dataplane/errorcase"
)

// updateVariable, when it is set, has the golden files of errors written
// instead of compared with.
const updateVariable = "UPDATE_GOLDENS"

// prepare has TARS do what a case needs.
func prepare(c errorcase.Case, id string) {
	switch c.Upstream {
	case errorcase.Resets:
		world.tls.answer(id, resetStream)
	case errorcase.IsSilent:
		world.tls.answer(id, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	case errorcase.Bloats:
		world.tls.answer(id, respond(http.StatusOK, "application/json", strings.Repeat(" ", errorcase.BloatBytes)))
	case errorcase.Answers:
	}
}

var _ = Describe("An error of the platform", func() {
	for _, c := range errorcase.Cases() {
		for _, a := range errorcase.APIs() {
			It(fmt.Sprintf("%s is what %s's SDK expects, to the byte", c.Name, a.Name), func(ctx SpecContext) {
				id := newID()
				prepare(c, id)
				reply, err := c.Ask(ctx, errorcase.At{Address: world.envoy.Address, API: a, ID: id})
				Expect(err).NotTo(HaveOccurred())
				got, path := reply.Golden(), filepath.Join("errorcase", c.File(a))
				if os.Getenv(updateVariable) != "" {
					Expect(os.MkdirAll(filepath.Dir(path), 0o750)).To(Succeed())
					Expect(os.WriteFile(path, []byte(got), 0o600)).To(Succeed())
				}
				want, err := os.ReadFile(path)
				Expect(err).NotTo(HaveOccurred())
				Expect(got).To(Equal(string(want)))
				Expect(reply.Header.Get("x-request-id")).To(Equal(id))
				if c.Name != errorcase.NotProcessed {
					Expect(world.envoy.line(id).Tars).To(HaveKeyWithValue("total_tokens", 0.0))
				}
			})
		}
	}

	It("has no golden file that nothing is compared with", func() {
		var want []string
		for _, c := range errorcase.Cases() {
			for _, a := range errorcase.APIs() {
				want = append(want, filepath.Join("errorcase", c.File(a)))
			}
		}
		files, err := filepath.Glob(filepath.Join("errorcase", "testdata", "*", "*"))
		Expect(err).NotTo(HaveOccurred())
		Expect(files).To(ConsistOf(want))
	})

	It("is told when there is no memory left for a request", func() {
		v := startVictim("EXTPROC_MEMORY_LIMIT=2500000")
		for _, a := range errorcase.APIs() {
			first, second, id := dialTo(v.envoy), dialTo(v.envoy), newID()
			head := "POST %s HTTP/1.1\r\nhost: a\r\nx-request-id: %s\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n"
			piece := `{"model":"gpt","x":"` + strings.Repeat("x", 600_000)
			first.write(head+"%s", a.Path, newID(), piece)
			// All of it: else the first may be the one that finds no room.
			Eventually(func(g Gomega) {
				held, err := strconv.ParseFloat(strings.TrimPrefix(strings.Join(v.metrics("tars_held_bytes "), ""), "tars_held_bytes "), 64)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(held).To(BeNumerically(">=", len(piece)))
			}).WithTimeout(stepTimeout).WithPolling(poll).Should(Succeed())
			second.write(head+"%s", a.Path, id, piece)
			r := second.response()
			Expect([]any{r.status, r.header.Get("x-tarsbackend-error-source"), r.header.Get("retry-after")}).
				To(Equal([]any{http.StatusServiceUnavailable, "extproc", "1"}))
			Expect(r.body).To(ContainSubstring("as its memory allows"))
			Expect(strings.HasPrefix(r.body, `{"type":"error"`)).To(Equal(a.Name == "anthropic"))
			first.close()
			second.close()
			Eventually(func() []string { return v.metrics("tars_held_bytes ") }).WithTimeout(stepTimeout).WithPolling(poll).
				Should(ConsistOf("tars_held_bytes 0"))
		}
	})
})
