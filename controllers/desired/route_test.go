// SPDX-License-Identifier: Apache-2.0

package desired_test

import (
	"encoding/json"
	"regexp"
	"strings"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// withCodes are the reasons to send a request again where statuses are among them.
var withCodes = []egv1a1.TriggerEnum{egv1a1.ConnectFailure, egv1a1.RefusedStream, egv1a1.RetriableStatusCodes}

var _ = Describe("The route", func() {
	It("fails closed: only the rule that asks for the token leads to TARS and has the key", func() {
		objects := build(readInput("full"))
		rules := only[*gatewayv1.HTTPRoute](objects).Spec.Rules
		Expect(rules).To(HaveLen(2))
		entry, pass := rules[0], rules[1]

		service := only[*corev1.Service](objects)
		Expect(entry.BackendRefs).To(HaveLen(1))
		Expect(entry.BackendRefs[0].Kind).To(HaveValue(BeEquivalentTo("Service")))
		Expect(entry.BackendRefs[0].Name).To(BeEquivalentTo(service.Name))
		Expect(entry.BackendRefs[0].Port).To(HaveValue(Equal(service.Spec.Ports[1].Port)), "the port of HTTP, not of gRPC")
		Expect(entry.BackendRefs[0].Filters).To(BeEmpty())
		Expect(entry.Filters).To(HaveLen(1))
		Expect(entry.Filters[0].ResponseHeaderModifier).NotTo(BeNil(), "it changes nothing of the request")
		Expect(entry.Matches).To(HaveLen(1))
		Expect(entry.Matches[0].Headers).To(BeEmpty())

		Expect(pass.Matches).To(HaveLen(1))
		Expect(pass.Matches[0].Path).To(Equal(entry.Matches[0].Path), "or a re-match would not find it")
		Expect(pass.Matches[0].Headers).To(HaveLen(1))
		Expect(string(pass.Matches[0].Headers[0].Name)).To(Equal(config.HeaderPass))
		Expect(pass.Matches[0].Headers[0].Value).To(Equal(route(objects).PassToken))
		Expect(pass.Matches[0].Headers[0].Type).To(HaveValue(Equal(gatewayv1.HeaderMatchExact)))
		Expect(pass.BackendRefs).To(HaveLen(1))
		for _, filter := range pass.Filters {
			Expect(filter.Type).NotTo(Equal(gatewayv1.HTTPRouteFilterExtensionRef),
				"a filter of the rule would be in the listener, and act on the rule that was matched first")
		}
	})

	It("removes what TARS must not see, within Gateway API's bound", func() {
		filter := only[*gatewayv1.HTTPRoute](build(readInput("minimal"))).Spec.Rules[1].Filters[0]
		Expect(filter.Type).To(Equal(gatewayv1.HTTPRouteFilterRequestHeaderModifier))
		Expect(filter.RequestHeaderModifier.Remove).To(ContainElements(
			config.HeaderPass, config.HeaderModel, "x-api-key", "x-tars-api-key", "cookie", "proxy-authorization", "forwarded",
			"x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip", "x-envoy-external-address",
			"x-forwarded-client-cert",
		))
		Expect(len(filter.RequestHeaderModifier.Remove)).To(BeNumerically("<=", 16))
		Expect(filter.RequestHeaderModifier.Remove).NotTo(ContainElement("authorization"), "the credential filter overwrites it")
	})

	It("rewrites the host where Envoy adds no x-forwarded-host", func() {
		rule := only[*gatewayv1.HTTPRoute](build(readInput("full"))).Spec.Rules[1]
		for _, filter := range rule.Filters {
			if filter.URLRewrite != nil {
				Expect(filter.URLRewrite.Hostname).To(BeNil())
				Expect(filter.URLRewrite.Path.ReplacePrefixMatch).To(HaveValue(Equal("/v1")))
			}
		}
		Expect(rule.BackendRefs[0].Filters[0].URLRewrite.Hostname).To(HaveValue(BeEquivalentTo("tars.internal.example.com")))
	})

	DescribeTable("serves <pathPrefix>/v1",
		func(prefix, served string) {
			in := readInput("minimal")
			in.Backend.Spec.PathPrefix = prefix
			objects := build(in)
			for _, rule := range only[*gatewayv1.HTTPRoute](objects).Spec.Rules {
				Expect(rule.Matches[0].Path.Value).To(HaveValue(Equal(served)))
				Expect(rule.Matches[0].Path.Type).To(HaveValue(Equal(gatewayv1.PathMatchPathPrefix)))
			}
			Expect(objects.CanaryPath).To(MatchRegexp("^" + regexp.QuoteMeta(served) + `/\.well-known/tarsbackend/[0-9a-f]{32}$`))
			Expect(desired.CanaryPath(in.Backend)).To(Equal(objects.CanaryPath))
			Expect(route(objects).CanaryPath).To(Equal(objects.CanaryPath))
			Expect(route(objects).PathPrefix).To(Equal(prefix))
		},
		Entry("at the root", "/", "/v1"),
		Entry("below a prefix", "/llm", "/llm/v1"),
		Entry("below a longer one", "/a/b", "/a/b/v1"),
	)

	It("has tokens that stay for the object's life and differ between objects and purposes", func() {
		in := readInput("minimal")
		first := route(build(in))
		in.Backend.Spec.PathPrefix = "/other"
		in.Backend.Generation++
		second := route(build(in))
		Expect(second.PassToken).To(Equal(first.PassToken))
		Expect(second.CanaryPath).To(HaveSuffix(last(first.CanaryPath)))
		Expect(first.PassToken).To(MatchRegexp("^[0-9a-f]{32}$"))
		Expect(last(first.CanaryPath)).NotTo(Equal(first.PassToken))
		in.Backend.UID = "another"
		other := route(build(in))
		Expect(other.PassToken).NotTo(Equal(first.PassToken))
		Expect(last(other.CanaryPath)).NotTo(Equal(last(first.CanaryPath)))
	})

	It("names its filters, its backend, its policies and the external processor rightly", func() {
		objects := build(readInput("minimal"))
		expectReferences(objects, "tars-credential")
	})

	It("always speaks TLS with the endpoint's name, and trusts one thing", func() {
		for _, name := range []string{"minimal", "empty-ca-list", "custom-ca"} {
			in := readInput(name)
			tls := only[*egv1a1.Backend](build(in)).Spec.TLS
			Expect(tls.SNI).To(HaveValue(BeEquivalentTo(in.Backend.Spec.Endpoint.Hostname)))
			Expect(tls.InsecureSkipVerify).To(HaveValue(BeFalse()))
			Expect(tls.WellKnownCACertificates == nil).To(Equal(len(tls.CACertificateRefs) == 1), name)
		}
	})

	It("answers in JSON, of both APIs' shapes, that names the layer when the external processor cannot be reached", func() {
		objects := build(readInput("minimal"))
		override := only[*egv1a1.BackendTrafficPolicy](objects).Spec.ResponseOverride[0]
		Expect(override.Source).To(HaveValue(Equal(egv1a1.ResponseOverrideSourceLocal)))
		// 500 is Envoy Gateway's own answer while the Service has no endpoint.
		Expect(override.Match.StatusCodes).To(HaveLen(2))
		Expect(override.Match.StatusCodes[1].Value).To(HaveValue(Equal(500)))
		Expect(override.Match.StatusCodes[0].Value).To(HaveValue(
			BeEquivalentTo(*only[*egv1a1.EnvoyExtensionPolicy](objects).Spec.ExtProc[0].StatusOnError)))
		Expect(override.Response.StatusCode).To(HaveValue(Equal(503)))
		Expect(override.Response.Header.Set).To(ConsistOf(gatewayv1.HTTPHeader{Name: "x-tarsbackend-error-source", Value: "extproc"}))

		inline := *override.Response.Body.Inline
		Expect(len(inline)).To(BeNumerically("<", 4096), "Envoy's bound of a direct response")
		const requestID = "%REQ(X-REQUEST-ID)%"
		Expect(inline).To(ContainSubstring(requestID))
		Expect(strings.ReplaceAll(inline, requestID, "")).NotTo(ContainSubstring("%"), "Envoy would take it for a command")
		var parsed struct {
			Type  string
			Error map[string]any
		}
		Expect(json.Unmarshal([]byte(inline), &parsed)).To(Succeed())
		Expect(parsed.Type).To(Equal("error"), "as Anthropic's SDKs look for")
		Expect(parsed.Error).To(HaveKeyWithValue("type", "server_error"))
		Expect(parsed.Error).To(HaveKeyWithValue("code", "extproc_unavailable"))
		Expect(parsed.Error).To(HaveKeyWithValue("param", BeNil()))
		Expect(parsed.Error["message"]).To(ContainSubstring("not sent to TARS"))
	})

	DescribeTable("has a request sent again, before its answer, after",
		func(spec *v1alpha1.Retry, attempts int, triggers []egv1a1.TriggerEnum, codes ...egv1a1.HTTPStatus) {
			in := readInput("minimal")
			in.Backend.Spec.Retry = spec
			got := only[*egv1a1.BackendTrafficPolicy](build(in)).Spec.Retry
			Expect(got.NumRetries).To(HaveValue(BeEquivalentTo(attempts)))
			Expect(got.RetryOn.Triggers).To(Equal(triggers))
			Expect(got.RetryOn.HTTPStatusCodes).To(HaveExactElements(codes))
			Expect(got.PerRetry).To(BeNil(), "a bound for one try would cut a model that thinks")
		},
		Entry("503 and failed connections, by default", nil, 1, withCodes, egv1a1.HTTPStatus(503)),
		Entry("the same where only the number is given", &v1alpha1.Retry{Attempts: new(int32(3))}, 3, withCodes, egv1a1.HTTPStatus(503)),
		Entry("nothing at all", &v1alpha1.Retry{Attempts: new(int32(0))}, 0, withCodes, egv1a1.HTTPStatus(503)),
		Entry("429 too, when asked for, in order", &v1alpha1.Retry{Codes: []v1alpha1.RetryStatusCode{503, 429}}, 1, withCodes,
			egv1a1.HTTPStatus(429), egv1a1.HTTPStatus(503)),
		Entry("failed connections alone", &v1alpha1.Retry{Codes: []v1alpha1.RetryStatusCode{}}, 1,
			[]egv1a1.TriggerEnum{egv1a1.ConnectFailure, egv1a1.RefusedStream}),
	)

	DescribeTable("bounds requests in time",
		func(name, connect, streamIdle, request string) {
			objects := build(readInput(name))
			timeout := only[*egv1a1.BackendTrafficPolicy](objects).Spec.Timeout
			Expect(timeout.TCP.ConnectTimeout).To(HaveValue(BeEquivalentTo(connect)))
			Expect(timeout.HTTP.StreamIdleTimeout).To(HaveValue(BeEquivalentTo(streamIdle)))
			rules := only[*gatewayv1.HTTPRoute](objects).Spec.Rules
			Expect(rules[1].Timeouts.Request).To(HaveValue(BeEquivalentTo(request)))
			Expect(rules[1].Timeouts.BackendRequest).To(BeNil())
		},
		Entry("by default not at all, but silence", "minimal", "10s", "10m0s", "0s"),
		Entry("as written, however long", "timeouts", "1500ms", "99999h", "1h30m"),
		Entry("or never", "timeouts-none", "10s", "0s", "0s"),
	)
})

// expectReferences follows every name that one child has of another.
func expectReferences(objects desired.Objects, secret string) {
	GinkgoHelper()
	rules := only[*gatewayv1.HTTPRoute](objects).Spec.Rules
	routeName := only[*gatewayv1.HTTPRoute](objects).Name
	injection := ""
	for _, filter := range every[*egv1a1.HTTPRouteFilter](objects) {
		if filter.Spec.CredentialInjection != nil {
			injection = filter.Name
			Expect(string(filter.Spec.CredentialInjection.Credential.ValueRef.Name)).To(Equal(secret))
			Expect(filter.Spec.CredentialInjection.Overwrite).To(HaveValue(BeTrue()))
		}
	}
	backend := rules[1].BackendRefs[0]
	Expect(string(backend.Filters[1].ExtensionRef.Name)).To(Equal(injection))
	Expect(string(backend.Name)).To(Equal(only[*egv1a1.Backend](objects).Name))
	Expect(backend.Port).To(HaveValue(BeEquivalentTo(only[*egv1a1.Backend](objects).Spec.Endpoints[0].FQDN.Port)))

	policy := only[*egv1a1.EnvoyExtensionPolicy](objects)
	Expect(string(policy.Spec.TargetRefs[0].Name)).To(Equal(routeName))
	Expect(string(only[*egv1a1.BackendTrafficPolicy](objects).Spec.TargetRefs[0].Name)).To(Equal(routeName))
	service := only[*corev1.Service](objects)
	ref := policy.Spec.ExtProc[0].BackendRefs[0]
	Expect(string(ref.Name)).To(Equal(service.Name))
	Expect(ref.Port).To(HaveValue(BeEquivalentTo(service.Spec.Ports[0].Port)))

	pod := only[*appsv1.Deployment](objects).Spec.Template
	Expect(pod.Spec.Volumes[0].ConfigMap.Name).To(Equal(only[*corev1.ConfigMap](objects).Name))
	Expect(pod.Spec.ServiceAccountName).To(Equal(only[*corev1.ServiceAccount](objects).Name))
	for key, value := range service.Spec.Selector {
		Expect(pod.Labels).To(HaveKeyWithValue(key, value))
	}
}

func last(path string) string { return path[strings.LastIndex(path, "/")+1:] }
