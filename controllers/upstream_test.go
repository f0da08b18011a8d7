// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"crypto/rand"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/canary"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

var _ = Describe("What TARS answers", func() {
	fromTARS := func(condition, reason string, reach, key conditions.UpstreamOutcome, words ...string) fault {
		return fault{
			condition: condition, reason: reason, words: words,
			breaks: func(_ context.Context, w *world) { prober.tellUpstream(w.namespace, reach, key) },
			heals: func(_ context.Context, w *world) {
				prober.tellUpstream(w.namespace, conditions.UpstreamServed, conditions.UpstreamServed)
			},
		}
	}
	DescribeTable("is what Ready waits for, before and after it was Ready", func(ctx SpecContext, f fault) {
		w := newWorld(ctx)
		f.breaks(ctx, w)
		w.create(ctx)
		w.expectNotReady(ctx, f.condition, f.reason, f.words...)
		f.heals(ctx, w)
		w.expectReady(ctx)
		f.breaks(ctx, w)
		w.expectNotReady(ctx, f.condition, f.reason, f.words...)
		f.heals(ctx, w)
		w.expectReady(ctx)
	},
		Entry("a rejected key", fromTARS(v1alpha1.ConditionCredentialVerified, v1alpha1.ReasonKeyRejected,
			conditions.UpstreamServed, conditions.UpstreamRejected, "sha256:", "/envoy-1: told")),
		Entry("no credits", fromTARS(v1alpha1.ConditionCredentialVerified, v1alpha1.ReasonCreditsExhausted,
			conditions.UpstreamServed, conditions.UpstreamNoCredits, "billing")),
		Entry("a name without an address", fromTARS(v1alpha1.ConditionUpstreamReachable, v1alpha1.ReasonDNSFailed,
			conditions.UpstreamNoAddress, conditions.UpstreamServed, "api.router.tetrate.ai:443")),
		Entry("a wrong certificate", fromTARS(v1alpha1.ConditionUpstreamReachable, v1alpha1.ReasonTLSFailed,
			conditions.UpstreamTLS, conditions.UpstreamServed, "caCertificateRefs")),
		Entry("silence", fromTARS(v1alpha1.ConditionUpstreamReachable, v1alpha1.ReasonUpstreamTimeout,
			conditions.UpstreamTimeout, conditions.UpstreamServed)),
		Entry("nothing yet", fromTARS(v1alpha1.ConditionUpstreamReachable, v1alpha1.ReasonPending,
			conditions.UpstreamPending, conditions.UpstreamPending)),
		Entry("nothing of TARS", fromTARS(v1alpha1.ConditionUpstreamReachable, v1alpha1.ReasonUnexpectedResponse,
			conditions.UpstreamUnexpected, conditions.UpstreamUnexpected)),
	)

	It("is asked for with this key, endpoint and CA, and anew when one of them changes", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.backend.Spec.Endpoint.Hostname = "tars.example.com" // allowed by its exact name
		w.trust("tars-ca")
		w.create(ctx, w.ca(map[string]string{"ca.crt": someCA()}))
		w.ready(ctx)
		upstream := func() canary.Upstream {
			plan, _ := prober.plan(w.name())
			return plan.Upstream
		}
		before := upstream()
		Expect(before.Verify).To(BeTrue())
		Expect(before.Interval).To(Equal(10 * time.Minute))
		Expect(before.Endpoint).To(Equal("tars.example.com:443"))
		Expect(before.CA).To(Equal(someCA()))
		Expect(before.Private).To(BeTrue())
		Expect(before.PassToken).To(HaveLen(32))

		setKey("sk-another-key")(ctx, w)
		Eventually(func() string { return upstream().Identity }).ShouldNot(Equal(before.Identity))
		rotated := upstream()
		update(ctx, w, w.ca(nil), func(ca *corev1.ConfigMap) { ca.Data = map[string]string{"ca.crt": someCA() + someCA()} })
		Eventually(func() string { return upstream().Identity }).ShouldNot(Equal(rotated.Identity))
		update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) {
			b.Spec.Credential.Verification = v1alpha1.Verification{
				Mode: v1alpha1.VerificationDisabled, Interval: new(gatewayv1.Duration("1h30m")),
			}
			b.Spec.Endpoint.Hostname = "eu.router.tetrate.ai"
		})
		Eventually(upstream).Should(And(
			HaveField("Verify", false), HaveField("Interval", 90*time.Minute), HaveField("Private", false),
			HaveField("Endpoint", "eu.router.tetrate.ai:443"),
		))
	})

	It("does not keep Ready from True where the key is not to be verified", func(ctx SpecContext) {
		w := newWorld(ctx)
		prober.tellUpstream(w.namespace, conditions.UpstreamServed, conditions.UpstreamPending)
		w.backend.Spec.Credential.Verification.Mode = v1alpha1.VerificationDisabled
		w.ready(ctx)
		c := w.condition(ctx, Default, v1alpha1.ConditionCredentialVerified)
		Expect([]string{string(c.Status), c.Reason}).To(Equal([]string{"Unknown", v1alpha1.ReasonVerificationDisabled}))
		Expect(w.current(ctx, Default).Status.Models).To(BeNil())
	})

	It("tells the models that apps can ask for, and what is missing, without touching Ready", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.backend.Spec.Models = &v1alpha1.Models{
			Allow: []string{"gpt-*", "gemini-*"}, Aliases: []v1alpha1.ModelAlias{{Name: "fast", Model: "claude-haiku-4-5"}},
		}
		w.ready(ctx)
		Expect(w.current(ctx, Default).Status.Models).To(Equal(&v1alpha1.ModelsStatus{Available: 2, Missing: []string{"gemini-*"}}))
		c := w.condition(ctx, Default, v1alpha1.ConditionModelsResolved)
		Expect([]string{string(c.Status), c.Reason}).To(Equal([]string{"False", v1alpha1.ReasonModelsNotFound}))
		Eventually(func() int { return len(eventsOf(ctx, w, v1alpha1.ReasonModelsNotFound)) }).Should(Equal(1))

		update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.Models = nil })
		Eventually(func(g Gomega) {
			g.Expect(w.condition(ctx, g, v1alpha1.ConditionModelsResolved).Status).To(Equal(metav1.ConditionTrue))
			g.Expect(w.current(ctx, g).Status.Models).To(Equal(&v1alpha1.ModelsStatus{Available: 2}))
		}).Should(Succeed())
	})

	It("is believed from before a restart, for exactly the same state of things", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		all := canary.Trust{DataPlane: true, Upstream: true, Key: true}
		touch := func() {
			update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Labels = map[string]string{"touched": rand.Text()} })
		}
		touch()
		Eventually(func() canary.Trust { return prober.trust(w.name()) }).Should(Equal(all))

		prober.tellUpstream(w.namespace, conditions.UpstreamServed, conditions.UpstreamRejected)
		w.expectNotReady(ctx, v1alpha1.ConditionCredentialVerified, v1alpha1.ReasonKeyRejected)
		touch()
		Eventually(func() canary.Trust { return prober.trust(w.name()) }).Should(Equal(canary.Trust{DataPlane: true, Upstream: true}))
		prober.tellUpstream(w.namespace, conditions.UpstreamServed, conditions.UpstreamServed)
		w.expectReady(ctx)

		By("another key")
		prober.tellUpstream(w.namespace, conditions.UpstreamPending, conditions.UpstreamPending)
		w.expectNotReady(ctx, v1alpha1.ConditionUpstreamReachable, v1alpha1.ReasonPending)
		setKey("sk-another-key")(ctx, w)
		Eventually(func() canary.Trust { return prober.trust(w.name()) }).Should(Equal(canary.Trust{}))
	})

	It("is forgotten with the key that is revoked", func(ctx SpecContext) {
		w := newWorld(ctx).ready(ctx)
		Expect(w.current(ctx, Default).Status.Models).NotTo(BeNil())
		Expect(w.api.Delete(ctx, w.secret)).To(Succeed())
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonSecretNotFound)
		Eventually(func(g Gomega) { g.Expect(w.current(ctx, g).Status.Models).To(BeNil()) }).Should(Succeed())
	})
})
