// SPDX-License-Identifier: Apache-2.0

package desired_test

import (
	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/tars-operator/tars-operator/controllers/desired"
	"github.com/tars-operator/tars-operator/extproc/config"
)

var _ = Describe("The external processor's policy", func() {
	var policy egv1a1.EnvoyExtensionPolicySpec
	var extProc egv1a1.ExtProc
	BeforeEach(func() {
		policy = only[*egv1a1.EnvoyExtensionPolicy](build(readInput("minimal"))).Spec
		Expect(policy.ExtProc).To(HaveLen(1))
		extProc = policy.ExtProc[0]
	})

	It("leaves the platform's own policies on the Gateway acting", func() {
		Expect(policy.MergeType).To(HaveValue(Equal(egv1a1.StrategicMerge)))
		Expect(only[*egv1a1.BackendTrafficPolicy](build(readInput("minimal"))).Spec.MergeType).
			To(HaveValue(Equal(egv1a1.StrategicMerge)))
	})

	It("lets nothing by when the external processor fails", func() {
		Expect(extProc.FailOpen).To(HaveValue(BeFalse()))
		Expect(extProc.StatusOnError).To(HaveValue(BeEquivalentTo(510)))
		Expect(extProc.ShadowMode).To(BeNil())
	})

	It("streams bodies of any size both ways, and the modes cannot be changed by an answer", func() {
		for _, mode := range []*egv1a1.ProcessingModeOptions{extProc.ProcessingMode.Request, extProc.ProcessingMode.Response} {
			Expect(mode.Body).To(HaveValue(Equal(egv1a1.FullDuplexStreamedExtBodyProcessingMode)))
		}
		Expect(extProc.ProcessingMode.AllowModeOverride).To(BeFalse())
	})

	It("tells what the canary and the wording of Envoy's own answers need", func() {
		Expect(extProc.ProcessingMode.Request.Attributes).To(BeEmpty())
		Expect(extProc.ProcessingMode.Response.Attributes).To(ConsistOf("request.path", "request.method", "request.id", "response.code_details"))
		Expect(extProc.Metadata.WritableNamespaces).To(HaveExactElements(config.MetadataNamespace))
	})

	It("takes a hung replica out within ten seconds, as long as another one answers", func() {
		health := extProc.BackendSettings.HealthCheck
		Expect(health.Active.Type).To(Equal(egv1a1.ActiveHealthCheckerTypeGRPC))
		Expect(health.Active.Interval).To(HaveValue(BeEquivalentTo("3s")))
		Expect(health.Active.Timeout).To(HaveValue(BeEquivalentTo("1s")))
		Expect(health.Active.UnhealthyThreshold).To(HaveValue(BeEquivalentTo(2)))
		Expect(health.PanicThreshold).To(HaveValue(BeEquivalentTo(1)))
	})

	DescribeTable("sets Envoy's buffers from the start, and never those of a policy that was made without",
		func(change func(*egv1a1.ExtProc), want string) {
			in := readInput("minimal")
			standing := only[*egv1a1.EnvoyExtensionPolicy](build(in)).DeepCopy()
			change(&standing.Spec.ExtProc[0])
			expect := func(standing *egv1a1.EnvoyExtensionPolicy) string {
				in.ExtensionPolicy = standing
				objects := build(in)
				got := only[*egv1a1.EnvoyExtensionPolicy](objects).Spec.ExtProc[0].BackendSettings.Connection
				if want == "" {
					Expect(got).To(BeNil())
				} else {
					Expect(got.BufferLimit.String()).To(Equal(want))
				}
				return objects.RouteHash
			}
			hash := expect(standing)
			Expect(expect(&egv1a1.EnvoyExtensionPolicy{Spec: desired.Standing(standing)})).To(Equal(hash), "Standing has all that is read")
		},
		Entry("as it is", func(*egv1a1.ExtProc) {}, "1Mi"),
		Entry("made without", func(p *egv1a1.ExtProc) { p.BackendSettings.Connection = nil }, ""),
		Entry("made without the limit", func(p *egv1a1.ExtProc) { p.BackendSettings.Connection.BufferLimit = nil }, ""),
		Entry("edited", func(p *egv1a1.ExtProc) { p.BackendSettings.Connection.BufferLimit = new(resource.MustParse("7Ki")) }, "1Mi"),
		Entry("without any settings, which ours never was", func(p *egv1a1.ExtProc) { p.BackendSettings = nil }, "1Mi"),
	)

	It("sets Envoy's buffers where somebody has taken the processor out of the policy", func() {
		in := readInput("minimal")
		whole := build(in)
		in.ExtensionPolicy = &egv1a1.EnvoyExtensionPolicy{}
		Expect(contents(build(in))).To(Equal(contents(whole)))
	})

	It("has another replica asked when one cannot answer", func() {
		retry := extProc.BackendSettings.Retry
		Expect(retry.NumRetries).To(HaveValue(BeEquivalentTo(8)))
		Expect(retry.RetryOn.Triggers).To(ConsistOf(egv1a1.ConnectFailure, egv1a1.RefusedStream, egv1a1.Reset, egv1a1.Unavailable))
		Expect(retry.RetryOn.HTTPStatusCodes).To(BeEmpty())
		Expect(retry.PerRetry.BackOff.BaseInterval).To(HaveValue(BeEquivalentTo("10ms")))
		Expect(retry.PerRetry.BackOff.MaxInterval).To(HaveValue(BeEquivalentTo("100ms")))
	})

	It("ends the requests of a hung replica within fifteen seconds", func() {
		keepalive := extProc.BackendSettings.HTTP2.ConnectionKeepalive
		Expect(keepalive.Interval).To(HaveValue(BeEquivalentTo("10s")))
		Expect(keepalive.Timeout).To(HaveValue(BeEquivalentTo("5s")))
	})

	It("is not stopped by Envoy's circuit breakers at a thousand streams", func() {
		for _, breaker := range []*egv1a1.CircuitBreaker{
			extProc.BackendSettings.CircuitBreaker,
			only[*egv1a1.BackendTrafficPolicy](build(readInput("minimal"))).Spec.CircuitBreaker,
		} {
			Expect(*breaker.MaxConnections).To(BeNumerically(">", 100_000))
			Expect(*breaker.MaxPendingRequests).To(BeNumerically(">", 100_000))
			Expect(*breaker.MaxParallelRequests).To(BeNumerically(">", 100_000))
		}
	})

	It("speaks HTTP/2 to a Service of its own namespace", func() {
		service := only[*corev1.Service](build(readInput("minimal"))).Spec
		Expect(service.Type).To(Equal(corev1.ServiceTypeClusterIP))
		Expect(service.Ports[0].AppProtocol).To(HaveValue(Equal("kubernetes.io/h2c")))
		Expect(extProc.BackendRefs[0].Namespace).To(BeNil(), "no ReferenceGrant is needed")
	})

	It("retries what TARS cannot have charged, and nothing that asks for patience", func() {
		retry := only[*egv1a1.BackendTrafficPolicy](build(readInput("minimal"))).Spec.Retry
		Expect(retry.NumRetries).To(HaveValue(BeEquivalentTo(1)))
		Expect(retry.RetryOn.HTTPStatusCodes).To(ConsistOf(BeEquivalentTo(503)))
		Expect(retry.RetryOn.Triggers).To(ConsistOf(egv1a1.ConnectFailure, egv1a1.RefusedStream, egv1a1.RetriableStatusCodes))
	})
})
