// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// reach says what is known of the way to TARS through the good Envoy.
func reach(outcome UpstreamOutcome, detail string) func(*Observation) {
	return func(o *Observation) { o.Canary.Upstream[0].Reach = UpstreamVerdict{outcome, detail} }
}

// key says what is known of the key at the good Envoy.
func key(outcome UpstreamOutcome, detail string) func(*Observation) {
	return func(o *Observation) { o.Canary.Upstream[0].Key = UpstreamVerdict{outcome, detail} }
}

// second adds an Envoy of the same Gateway.
func second(reach, key UpstreamOutcome) func(*Observation) {
	return func(o *Observation) {
		o.Canary.Upstream = append(o.Canary.Upstream, UpstreamProbe{
			Gateway: "infra/public", Envoy: "eg/envoy-2",
			Reach: UpstreamVerdict{Outcome: reach}, Key: UpstreamVerdict{Outcome: key},
		})
	}
}

func direct(o *Observation)      { o.Canary.DirectReach = true }
func directProxy(o *Observation) { o.Canary.DirectReach, o.Canary.DirectProxy = true, true }

const endpoint = "api.router.tetrate.ai:443"

var _ = DescribeTable("UpstreamReachable", check,
	Entry("is True when TARS answered", reach(UpstreamServed, ""), upstreamIs(isTrue, v1alpha1.ReasonReachable, endpoint)),
	Entry("is Unknown before the children are applied", func(o *Observation) { o.Applied = false },
		upstreamIs(isUnknown, v1alpha1.ReasonPending, "not all applied")),
	Entry("is Unknown without a report", func(o *Observation) { o.Canary = nil }, upstreamIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown without an Envoy to ask", func(o *Observation) { o.Canary.Missing = []string{"none"} },
		upstreamIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown where no listener can be asked", func(o *Observation) { o.Canary.NotPossible = []string{"no Service"} },
		upstreamIs(isUnknown, v1alpha1.ReasonProbeNotPossible, "no Service", "Informational")),
	Entry("is Unknown until the first answer, and tells the last attempt", reach(UpstreamPending, "timed out"),
		upstreamIs(isUnknown, v1alpha1.ReasonPending, "no answer of "+endpoint, "Envoy eg/envoy-1: timed out")),
	Entry("is Unknown while one of two Envoys has no answer", second(UpstreamPending, UpstreamServed),
		upstreamIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("stays True when an Envoy joins", second(UpstreamJoined, UpstreamJoined), upstreamIs(isTrue, v1alpha1.ReasonReachable)),
	Entry("is False when one of two Envoys gets none", second(UpstreamRefused, UpstreamServed),
		upstreamIs(isFalse, v1alpha1.ReasonConnectionRefused, "Envoy eg/envoy-2")),
	Entry("tells a name without an address", reach(UpstreamNoAddress, "no_healthy_upstream"),
		upstreamIs(isFalse, v1alpha1.ReasonDNSFailed, "no address for "+endpoint, "spec.endpoint.hostname", "Envoy eg/envoy-1: no_healthy_upstream")),
	Entry("tells a refused connection", reach(UpstreamRefused, ""), upstreamIs(isFalse, v1alpha1.ReasonConnectionRefused, "spec.endpoint.port")),
	Entry("tells silence", reach(UpstreamTimeout, ""), upstreamIs(isFalse, v1alpha1.ReasonUpstreamTimeout, "NetworkPolicy")),
	Entry("tells a broken connection", reach(UpstreamBroken, ""), upstreamIs(isFalse, v1alpha1.ReasonConnectionFailed, "broke")),
	Entry("tells a certificate that is not trusted", reach(UpstreamTLS, "CERTIFICATE_VERIFY_FAILED"),
		upstreamIs(isFalse, v1alpha1.ReasonTLSFailed, "caCertificateRefs", "CERTIFICATE_VERIFY_FAILED")),
	Entry("tells that TARS does not serve", reach(UpstreamNotServing, "answered 503"),
		upstreamIs(isFalse, v1alpha1.ReasonUpstreamNotServing, "the key is not the problem", "answered 503")),
	Entry("tells another server", reach(UpstreamNotFound, ""), upstreamIs(isFalse, v1alpha1.ReasonNotATarsEndpoint, "spec.endpoint")),
	Entry("knows nothing from an answer that is not TARS's", reach(UpstreamUnexpected, "an HTML page"),
		upstreamIs(isUnknown, v1alpha1.ReasonUnexpectedResponse, "an HTML page")),
	Entry("knows nothing where the Gateway lets no request through", reach(UpstreamImpossible, "401"),
		upstreamIs(isUnknown, v1alpha1.ReasonProbeNotPossible, "401", "Informational")),
	Entry("tells a firewall that only the Envoys meet", both(reach(UpstreamTimeout, "timed out"), direct),
		upstreamIs(isFalse, v1alpha1.ReasonEnvoyEgressBlocked, "the operator reaches "+endpoint+" and Envoy does not", "timed out")),
	Entry("tells a proxy that only the operator uses", both(reach(UpstreamNoAddress, ""), directProxy),
		upstreamIs(isFalse, v1alpha1.ReasonEnvoyEgressBlocked, "HTTPS_PROXY")),
	Entry("does not take a wrong certificate for a firewall", both(reach(UpstreamTLS, ""), direct),
		upstreamIs(isFalse, v1alpha1.ReasonTLSFailed)),
	Entry("is Unknown while no Envoy of one of two parents was asked", func(o *Observation) {
		o.Parents = append(o.Parents, Parent{
			Ref: aRef("infra", "second"), Gateway: aGateway("infra", "second"), ControllerName: envoyGateway, Controlled: true,
		})
	}, upstreamIs(isUnknown, v1alpha1.ReasonPending, "Gateway infra/second")),
)

var _ = DescribeTable("CredentialVerified", check,
	Entry("is True when TARS told its models", key(UpstreamServed, ""), keyIs(isTrue, v1alpha1.ReasonKeyAccepted, "sha256:1f3a9c2e")),
	Entry("is Unknown until then", key(UpstreamPending, ""), keyIs(isUnknown, v1alpha1.ReasonPending, "sha256:1f3a9c2e")),
	Entry("is Unknown without a report", func(o *Observation) { o.Canary = nil }, keyIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("tells a rejected key", key(UpstreamRejected, "answered 401"),
		keyIs(isFalse, v1alpha1.ReasonKeyRejected, "TARS rejects the key sha256:1f3a9c2e", "spec.credential.secretRef", "answered 401")),
	Entry("tells exhausted credits", key(UpstreamNoCredits, ""), keyIs(isFalse, v1alpha1.ReasonCreditsExhausted, "billing")),
	Entry("knows nothing from an answer that is not TARS's", key(UpstreamUnexpected, ""), keyIs(isUnknown, v1alpha1.ReasonUnexpectedResponse)),
	Entry("knows nothing from a 429", key(UpstreamRateLimited, ""), keyIs(isUnknown, v1alpha1.ReasonRateLimited)),
	Entry("knows nothing where it may not ask", key(UpstreamImpossible, "401"),
		keyIs(isUnknown, v1alpha1.ReasonProbeNotPossible, "verification.mode to Disabled")),
	Entry("is False when one of two Envoys has a bad key", second(UpstreamServed, UpstreamRejected),
		keyIs(isFalse, v1alpha1.ReasonKeyRejected, "eg/envoy-2")),
)

var _ = Describe("a key that is not verified", func() {
	It("is Unknown and does not keep Ready from True", func() {
		o := good()
		o.Backend.Spec.Credential.Verification.Mode = v1alpha1.VerificationDisabled
		o.Canary.Upstream[0].Key = UpstreamVerdict{UpstreamRejected, ""}
		found := map[string]string{}
		for _, c := range Compute(*o) {
			found[c.Type] = string(c.Status) + " " + c.Reason
		}
		Expect(found).To(And(
			HaveKeyWithValue(v1alpha1.ConditionCredentialVerified, "Unknown "+v1alpha1.ReasonVerificationDisabled),
			HaveKeyWithValue(v1alpha1.ConditionModelsResolved, "Unknown "+v1alpha1.ReasonVerificationDisabled),
			HaveKeyWithValue(v1alpha1.ConditionReady, "True "+v1alpha1.ReasonReady),
		))
		Expect(Models(*o)).To(BeNil())
	})
	It("does not hide an upstream that is gone", func() {
		o := good()
		o.Backend.Spec.Credential.Verification.Mode = v1alpha1.VerificationDisabled
		reach(UpstreamRefused, "")(o)
		Expect(readyOf(o)).To(Equal("False " + v1alpha1.ReasonConnectionRefused))
	})
})

func readyOf(o *Observation) string {
	for _, c := range Compute(*o) {
		if c.Type == v1alpha1.ConditionReady {
			return string(c.Status) + " " + c.Reason
		}
	}
	return ""
}

var _ = Describe("ModelsResolved", func() {
	models := func(allow []string, aliases ...string) *v1alpha1.Models {
		m := &v1alpha1.Models{Allow: allow}
		for i := 0; i+1 < len(aliases); i += 2 {
			m.Aliases = append(m.Aliases, v1alpha1.ModelAlias{Name: aliases[i], Model: aliases[i+1]})
		}
		return m
	}
	DescribeTable("counts what apps can ask for, and what is missing", func(spec *v1alpha1.Models, available int, missing ...string) {
		o := good()
		o.Backend.Spec.Models = spec
		Expect(Models(*o).Available).To(BeEquivalentTo(available))
		Expect(Models(*o).Missing).To(HaveExactElements(missing))
		status := isTrue
		if len(missing) > 0 {
			status = isFalse
		}
		for _, c := range Compute(*o) {
			if c.Type == v1alpha1.ConditionModelsResolved {
				Expect(c.Status).To(Equal(status))
				for _, m := range missing {
					Expect(c.Message).To(ContainSubstring(m))
				}
			}
		}
		Expect(readyOf(o)).To(Equal("True "+v1alpha1.ReasonReady), "it never blocks")
	},
		Entry("without a policy", nil, 3),
		Entry("of an allow-list", models([]string{"gpt-4o-mini", "claude-*"}), 2),
		Entry("of an entry that fits nothing", models([]string{"gpt-4o-mini", "gemini-*", "gpt-9"}), 1, "gemini-*", "gpt-9"),
		Entry("of an entry that fits everything", models([]string{"*"}), 3),
		Entry("of aliases", models(nil, "fast", "xai/grok-4.5"), 4),
		Entry("of an alias outside the allow-list", models([]string{"gpt-4o-mini"}, "fast", "xai/grok-4.5"), 2),
		Entry("of an alias that leads nowhere", models([]string{"gpt-4o-mini"}, "fast", "gone"), 1, "gone"),
		Entry("of two aliases that lead to the same nowhere", models(nil, "a", "gone", "b", "gone"), 3, "gone"),
		Entry("of an alias that hides a model", models(nil, "gpt-4o-mini", "claude-haiku-4-5"), 3),
		Entry("of an alias that hides a model and leads nowhere", models(nil, "gpt-4o-mini", "gone"), 2, "gone"),
	)
	It("names some of many", func() {
		o := good()
		o.Backend.Spec.Models = &v1alpha1.Models{}
		for i := range 9 {
			o.Backend.Spec.Models.Allow = append(o.Backend.Spec.Models.Allow, fmt.Sprint("m", i))
		}
		Expect(modelsResolved(*o).message).To(ContainSubstring("m0, m1, m2, m3, m4 and 4 more of status.models.missing"))
	})
	It("is what it was before a restart until TARS has told again", func() {
		o := good()
		o.Canary.Models = nil
		o.ModelsBefore = &v1alpha1.ModelsStatus{Available: 7, Missing: []string{"gone"}}
		Expect(modelsResolved(*o).reason).To(Equal(v1alpha1.ReasonModelsNotFound))
		o.Canary.Models = []string{"gone"}
		Expect(modelsResolved(*o).reason).To(Equal(v1alpha1.ReasonModelsResolved))
	})
	It("is Unknown until TARS has told", func() {
		o := good()
		o.Canary.Models = nil
		v := modelsResolved(*o)
		Expect([]string{string(v.status), v.reason}).To(Equal([]string{"Unknown", v1alpha1.ReasonPending}))
	})
})
