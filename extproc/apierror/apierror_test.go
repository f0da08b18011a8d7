// SPDX-License-Identifier: Apache-2.0

package apierror_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/apierror"
	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/extproc/policy"
)

func TestAPIError(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/apierror")
}

var _ = Describe("Error", func() {
	It("has OpenAI's shape", func() {
		body, err := apierror.ModelNotFound("gpt\"5", "a, b").Body(policy.OpenAI, "id-1")
		Expect(err).NotTo(HaveOccurred())
		Expect(body).To(MatchJSON(`{"error":{
			"message":"The model \"gpt\\\"5\" is not allowed on this gateway. Allowed: a, b.",
			"type":"invalid_request_error","param":"model","code":"model_not_found"}}`))
	})

	It("has OpenAI's shape with param null", func() {
		body, err := apierror.TooLarge(7).Body(policy.OpenAI, "")
		Expect(err).NotTo(HaveOccurred())
		Expect(string(body)).To(ContainSubstring(`"param":null,"code":"request_too_large"`))
		Expect(string(body)).To(ContainSubstring("7 bytes"))
	})

	It("has Anthropic's shape with the request id", func() {
		body, err := apierror.MissingModel().Body(policy.Anthropic, "id-1")
		Expect(err).NotTo(HaveOccurred())
		Expect(body).To(MatchJSON(`{"type":"error","error":{"type":"invalid_request_error",
			"message":"The request body has no \"model\" at its top level. Add \"model\": \"<id>\"; GET /v1/models lists the ids."},
			"request_id":"id-1"}`))
	})

	It("can be read as it is", func() {
		for _, shape := range []policy.Shape{policy.OpenAI, policy.Anthropic} {
			body, err := apierror.MissingModel().Body(shape, "")
			Expect(err).NotTo(HaveOccurred())
			Expect(string(body)).To(And(ContainSubstring(`\"<id>\"`), HaveSuffix("}")))
		}
	})

	DescribeTable("types by status",
		func(status int, openAI, anthropic string) {
			e := &apierror.Error{Status: status}
			body, err := e.Body(policy.OpenAI, "")
			Expect(err).NotTo(HaveOccurred())
			Expect(string(body)).To(ContainSubstring(`"type":"` + openAI + `"`))
			body, err = e.Body(policy.Anthropic, "")
			Expect(err).NotTo(HaveOccurred())
			Expect(string(body)).To(ContainSubstring(`{"type":"` + anthropic + `"`))
		},
		Entry(nil, 400, "invalid_request_error", "invalid_request_error"),
		Entry(nil, 401, "authentication_error", "authentication_error"),
		Entry(nil, 402, "invalid_request_error", "billing_error"),
		Entry(nil, 403, "permission_error", "permission_error"),
		Entry(nil, 404, "invalid_request_error", "not_found_error"),
		Entry(nil, 405, "invalid_request_error", "invalid_request_error"),
		Entry(nil, 408, "invalid_request_error", "timeout_error"),
		Entry(nil, 413, "invalid_request_error", "request_too_large"),
		Entry(nil, 415, "invalid_request_error", "invalid_request_error"),
		Entry(nil, 429, "rate_limit_error", "rate_limit_error"),
		Entry(nil, 500, "server_error", "api_error"),
		Entry(nil, 503, "server_error", "overloaded_error"),
		Entry(nil, 504, "server_error", "timeout_error"),
	)

	DescribeTable("errors of ours",
		func(e *apierror.Error, status int, code, source, part string) {
			Expect(e.Status).To(Equal(status))
			Expect(e.Code).To(Equal(code))
			Expect(e.Source).To(Equal(source))
			Expect(e.Message).To(ContainSubstring(part))
			Expect(e.Error()).To(ContainSubstring(code))
		},
		Entry(nil, apierror.InvalidJSON("x at byte 3"), 400, "invalid_json", "client", "x at byte 3"),
		Entry(nil, apierror.Duplicate("model"), 400, "duplicate_parameter", "client", "Send it once"),
		Entry(nil, apierror.InvalidModel(), 400, "invalid_model", "client", "256 bytes"),
		Entry(nil, apierror.MissingBody(), 400, "missing_body", "client", "no body"),
		Entry(nil, apierror.TrailersNotSupported(), 400, "trailers_not_supported", "client", "trailers"),
		Entry(nil, apierror.UpgradeNotSupported("/v1/x"), 400, "upgrade_not_supported", "client", "/v1/x"),
		Entry(nil, apierror.PathNotServed("GET", "/v1/x\n"), 404, "unknown_url", "client", `GET /v1/x\n is not served by this gateway. It serves /v1/chat/completions,`),
		Entry(nil, apierror.MethodNotAllowed("GET", "/v1/x", "POST"), 405, "method_not_allowed", "client", "Use POST"),
		Entry(nil, apierror.NoBoolean("stream"), 400, "invalid_type", "client", `"stream" must be true or false`),
		Entry(nil, apierror.BodyTimeout(30*time.Second), 408, "request_timeout", "client", "30s"),
		Entry(nil, apierror.BodyTooSlow(300_000, 39*time.Second), 408, "request_timeout", "client", "300000 bytes in 39s"),
		Entry(nil, apierror.NotJSON("text/plain"), 415, "unsupported_media_type", "client", `"text/plain"`),
		Entry(nil, apierror.Compressed("gzip"), 415, "unsupported_content_encoding", "client", `"gzip"`),
		Entry(nil, apierror.ListUnreadable("too large"), 502, "model_list_unreadable", "extproc", "models: too large."),
		Entry(nil, apierror.NotProcessed(), 503, "request_not_processed", "extproc", "not sent to TARS"),
		Entry(nil, apierror.Overloaded(), 503, "overloaded", "extproc", "Retry later"),
	)

	It("tells when to retry, and which method to use", func() {
		Expect(apierror.Overloaded().Headers).To(Equal([][2]string{{"retry-after", "1"}}))
		Expect(apierror.MethodNotAllowed("GET", "/", "POST").Headers).To(Equal([][2]string{{"allow", "POST"}}))
	})

	It("quotes little of what a client sent, as valid JSON", func() {
		e := apierror.ModelNotFound(strings.Repeat("é", 10_000)+"\xff", "a")
		Expect(len(e.Message)).To(BeNumerically("<", 400))
		body, err := e.Body(policy.OpenAI, "")
		Expect(err).NotTo(HaveOccurred())
		Expect(json.Valid(body)).To(BeTrue())
	})
})

var _ = DescribeTable("FromGateway words Envoy's own answers",
	func(status int, details, code, source, part string) {
		e := apierror.FromGateway(status, details)
		if status == 500 {
			status = 503 // a local 500 would be taken for our own absence
		}
		Expect(e.Status).To(Equal(status))
		Expect(e.Code).To(Equal(code))
		Expect(e.Source).To(Equal(source))
		Expect(e.Message).To(ContainSubstring(part))
	},
	Entry(nil, 503, "no_healthy_upstream", "no_healthy_upstream", config.ErrorSourceGateway, "TarsBackend's status (Envoy: no_healthy_upstream)."),
	Entry(nil, 503, "upstream_reset_before_response_started{connection_failure}", "upstream_connect_error", config.ErrorSourceGateway, "connection to TARS failed"),
	Entry(nil, 503, "upstream_reset_before_response_started{connection_timeout}", "upstream_connect_timeout", config.ErrorSourceGateway, "spec.timeouts.connect"),
	Entry(nil, 504, "upstream_response_timeout", "gateway_timeout", config.ErrorSourceGateway, "spec.timeouts"),
	Entry(nil, 408, "upstream_max_stream_duration_reached", "gateway_timeout", config.ErrorSourceGateway, "spec.timeouts"),
	Entry(nil, 401, "api_key_authn", "unauthorized", config.ErrorSourceGateway, "client key"),
	Entry(nil, 403, "upgrade_failed", "upgrade_not_supported", config.ErrorSourceGateway, "WebSocket"),
	Entry(nil, 403, "rbac_access_denied", "forbidden", config.ErrorSourceGateway, "access policy"),
	Entry(nil, 429, "local_rate_limited", "rate_limit_exceeded", config.ErrorSourceLimit, "limit"),
	Entry(nil, 503, "request_rate_limited", "rate_limit_exceeded", config.ErrorSourceLimit, "limit"),
	Entry(nil, 500, "direct_response", "route_not_ready", config.ErrorSourceGateway, "not complete"),
	Entry(nil, 431, "", "gateway_error", config.ErrorSourceGateway, "not TARS: request header fields too large."),
)

var _ = DescribeTable("Reached tells whether TARS may have worked on what Envoy answered",
	func(details string, want bool) { Expect(apierror.Reached(details)).To(Equal(want)) },
	Entry(nil, "response_timeout", true),
	Entry(nil, "upstream_per_try_timeout", true),
	Entry(nil, "stream_idle_timeout", true),
	Entry(nil, "upstream_max_stream_duration_reached", true),
	Entry(nil, "response_payload_too_large", true),
	Entry(nil, "request_payload_too_large", false),
	Entry(nil, "upstream_reset_before_response_started{connection_termination}", true),
	Entry(nil, "upstream_reset_before_response_started{remote_reset}", true),
	Entry(nil, "upstream_reset_before_response_started{remote_refused_stream_reset}", false),
	Entry(nil, "upstream_reset_before_response_started{remote_connection_failure|connection_refused}", false),
	Entry(nil, "upstream_reset_before_response_started{connection_timeout}", false),
	Entry(nil, "upstream_reset_before_response_started{overflow}", false),
	Entry(nil, "no_healthy_upstream", false),
	Entry(nil, "request_rate_limited", false),
	Entry(nil, "", false),
)
