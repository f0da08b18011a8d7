// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
)

var _ = DescribeTable("A request that Envoy brings past the external processor is refused in the shape of its API",
	func(prefix, method, path string, anthropic bool, headers ...string) {
		b := newBench(func(r *config.Route) {
			r.PathPrefix, r.CanaryPath = prefix, strings.TrimSuffix(prefix, "/")+canaryPath
		})
		req := httptest.NewRequest(method, path, strings.NewReader(`{"model":"gpt"}`))
		req.Header.Set("x-request-id", "id-1")
		req.Header.Set("x-tarsbackend-pass", token)
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		b.Unprocessed(w, req)
		Expect(w.Code).To(Equal(http.StatusServiceUnavailable))
		Expect(w.Header().Get("content-type")).To(Equal("application/json"))
		Expect(w.Header().Values("x-tarsbackend-error-source")).To(Equal([]string{"extproc"}))
		Expect(w.Header().Get("x-request-id")).To(Equal("id-1"))
		Expect(w.Body.String()).To(ContainSubstring("not sent to TARS"))
		if anthropic {
			Expect(w.Header().Get("request-id")).To(Equal("id-1"))
			Expect(w.Body.String()).To(HavePrefix(`{"type":"error","error":{"type":"overloaded_error"`))
		} else {
			Expect(w.Body.String()).To(ContainSubstring(`"type":"server_error","param":null,"code":"request_not_processed"`))
		}
	},
	Entry("a chat", "/", "POST", chatPath, false),
	Entry("messages", "/", "POST", "/v1/messages", true),
	Entry("messages below a prefix", "/llm", "POST", "/llm/v1/messages?beta=true", true),
	Entry("models of Anthropic's SDK", "/", "GET", "/v1/models", true, "anthropic-version", "2023-06-01"),
	Entry("a chat of a client that says it is Anthropic's", "/", "POST", chatPath, false, "anthropic-version", "2023-06-01"),
	Entry("the canary's path: only a real one proves anything", "/", "GET", canaryPath, false),
	Entry("a path that a mux would clean", "/", "GET", "/v1//./x/../y", false),
)
