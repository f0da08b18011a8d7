// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// fault breaks a world that is not created yet, and heals it afterwards.
type fault struct {
	condition string
	reason    string
	words     []string // in the message
	// breaks changes the world before anything exists.
	breaks func(context.Context, *world)
	// heals is all that a human does; the rest has to follow by itself.
	heals func(context.Context, *world)
}

var _ = Describe("A TarsBackend with something wrong", func() {
	DescribeTable("names the first cause and heals by itself", func(ctx SpecContext, f fault) {
		w := newWorld(ctx)
		f.breaks(ctx, w)
		w.create(ctx)
		w.expectNotReady(ctx, f.condition, f.reason, f.words...)
		f.heals(ctx, w)
		w.expectReady(ctx)
	},
		Entry("Secret missing", fault{
			condition: v1alpha1.ConditionResolvedRefs, reason: v1alpha1.ReasonSecretNotFound,
			words:  []string{"tars-api-key", "create it", "apiKey"},
			breaks: func(_ context.Context, w *world) { w.secret.Name = "another" },
			heals: func(ctx context.Context, w *world) {
				w.create(ctx, &corev1.Secret{ObjectMeta: w.meta("tars-api-key"), Data: map[string][]byte{"apiKey": []byte(tarsKey)}})
			},
		}),
		Entry("key missing in the Secret", fault{
			condition: v1alpha1.ConditionResolvedRefs, reason: v1alpha1.ReasonSecretKeyNotFound,
			words:  []string{"tars-api-key", "has no key apiKey", "add it"},
			breaks: func(_ context.Context, w *world) { w.secret.Data = map[string][]byte{"key": []byte(tarsKey)} },
			heals:  setKey(tarsKey),
		}),
		Entry("the sample's placeholder", fault{
			condition: v1alpha1.ConditionResolvedRefs, reason: v1alpha1.ReasonPlaceholderKey,
			words:  []string{"tars-api-key", "placeholder", "replace it"},
			breaks: func(_ context.Context, w *world) { w.secret.Data["apiKey"] = []byte(v1alpha1.PlaceholderKey + "\n") },
			heals:  setKey(tarsKey),
		}),
		Entry("an empty key", invalidKey(" \n", "is empty")),
		Entry("a key with the word Bearer", invalidKey("Bearer "+tarsKey, "the operator adds the word")),
		Entry("a key of two lines", invalidKey(tarsKey+"\n"+tarsKey, "more than one line")),
		Entry("a key with a space", invalidKey("sk canary", "holds a space")),
		Entry("a Secret of another type", fault{
			condition: v1alpha1.ConditionResolvedRefs, reason: v1alpha1.ReasonInvalidSecret,
			words: []string{"tars-api-key", "kubernetes.io/basic-auth", "Opaque"},
			breaks: func(_ context.Context, w *world) {
				w.secret.Type = corev1.SecretTypeBasicAuth
				w.secret.Data["username"] = []byte("u")
			},
			heals: func(ctx context.Context, w *world) {
				Expect(w.api.Delete(ctx, w.secret)).To(Succeed())
				w.create(ctx, &corev1.Secret{ObjectMeta: w.meta("tars-api-key"), Data: map[string][]byte{"apiKey": []byte(tarsKey)}})
			},
		}),
		Entry("CA missing", fault{
			condition: v1alpha1.ConditionResolvedRefs, reason: v1alpha1.ReasonCACertificateNotFound,
			words:  []string{"ConfigMap", "tars-ca", "does not exist", "ca.crt"},
			breaks: func(_ context.Context, w *world) { w.trust("tars-ca") },
			heals:  func(ctx context.Context, w *world) { w.create(ctx, w.ca(map[string]string{"ca.crt": someCA()})) },
		}),
		Entry("key missing in the CA", fault{
			condition: v1alpha1.ConditionResolvedRefs, reason: v1alpha1.ReasonCACertificateNotFound,
			words: []string{"tars-ca", "has no key ca.crt"},
			breaks: func(ctx context.Context, w *world) {
				w.trust("tars-ca")
				w.create(ctx, w.ca(map[string]string{"tls.crt": "x"}))
			},
			heals: setCA,
		}),
		Entry("no certificate in the CA", fault{
			condition: v1alpha1.ConditionResolvedRefs, reason: v1alpha1.ReasonInvalidCACertificate,
			words: []string{"tars-ca", "no PEM certificate"},
			breaks: func(ctx context.Context, w *world) {
				w.trust("tars-ca")
				w.create(ctx, w.ca(map[string]string{"ca.crt": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}))
			},
			heals: setCA,
		}),
		Entry("endpoint not allowed", fault{
			condition: v1alpha1.ConditionAccepted, reason: v1alpha1.ReasonEndpointNotAllowed,
			words:  []string{"evil.example.com", "*.tetrate.ai", "--allowed-endpoints"},
			breaks: func(_ context.Context, w *world) { w.backend.Spec.Endpoint.Hostname = "evil.example.com" },
			heals: func(ctx context.Context, w *world) {
				update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.Endpoint.Hostname = "tars.example.com" })
			},
		}),
		Entry("Gateway missing", fault{
			condition: v1alpha1.ConditionResolvedRefs, reason: v1alpha1.ReasonGatewayNotFound,
			words:  []string{"/missing", "create it"},
			breaks: func(_ context.Context, w *world) { w.backend.Spec.ParentRefs[0].Name = "missing" },
			heals: func(ctx context.Context, w *world) {
				update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.ParentRefs[0].Name = "gw" })
			},
		}),
		Entry("GatewayClass missing", fault{
			condition: v1alpha1.ConditionResolvedRefs, reason: v1alpha1.ReasonGatewayClassNotFound,
			words:  []string{"missing-class", "create it"},
			breaks: func(_ context.Context, w *world) { w.gateway.Spec.GatewayClassName = "missing-class" },
			heals:  setClass,
		}),
		Entry("a Gateway of another controller", fault{
			condition: v1alpha1.ConditionAccepted, reason: v1alpha1.ReasonNotEnvoyGateway,
			words:  []string{"/gw", "example.com/another-controller", "--gateway-controller-names"},
			breaks: func(_ context.Context, w *world) { w.gateway.Spec.GatewayClassName = otherClass },
			heals:  setClass,
		}),
		Entry("listener refuses", played(behaviour{listenerRefuses: true},
			v1alpha1.ConditionAccepted, v1alpha1.ReasonListenerRefused, "/gw", "allowedRoutes", "NotAllowedByListeners")),
		Entry("Envoy Gateway's Backend API off", played(behaviour{noBackendAPI: true},
			v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonBackendAPIDisabled, "enableBackend=true")),
		Entry("a policy refused", played(behaviour{policiesRefused: true},
			v1alpha1.ConditionProgrammed, v1alpha1.ReasonPolicyNotAccepted, "broken on purpose")),
		Entry("Envoy Gateway silent", played(behaviour{silent: true},
			v1alpha1.ConditionAccepted, v1alpha1.ReasonPending, "is Envoy Gateway running")),
		Entry("ext_proc not available", played(behaviour{podsNotReady: true},
			v1alpha1.ConditionExtProcAvailable, v1alpha1.ReasonExtProcNotAvailable, "tars-extproc", "0 of 2")),
		Entry("an Envoy that answers wrongly", answering(conditions.ProbeWrong, v1alpha1.ReasonUnexpectedAnswer)),
		Entry("an Envoy that answers with an older configuration", answering(conditions.ProbeStale, v1alpha1.ReasonStaleConfiguration)),
		Entry("an Envoy that does not answer", answering(conditions.ProbeUnreachable, v1alpha1.ReasonEnvoyUnreachable)),
		Entry("no ready Envoy", fault{
			condition: v1alpha1.ConditionDataPlaneVerified, reason: v1alpha1.ReasonNoReadyEnvoy,
			words:  []string{"/gw", "no ready Envoy"},
			breaks: func(_ context.Context, w *world) { *w.slice.Endpoints[0].Conditions.Ready = false },
			heals: func(ctx context.Context, w *world) {
				Expect(w.get(ctx, w.slice)).To(Succeed())
				*w.slice.Endpoints[0].Conditions.Ready = true
				Expect(w.api.Update(ctx, w.slice)).To(Succeed())
			},
		}),
		Entry("ext_proc scaled to zero", fault{
			condition: v1alpha1.ConditionExtProcAvailable, reason: v1alpha1.ReasonScaledToZero,
			words: []string{"no replicas", "spec.extProc.replicas"},
			breaks: func(_ context.Context, w *world) {
				w.backend.Spec.ExtProc = &v1alpha1.ExtProc{Replicas: new(int32)}
			},
			heals: func(ctx context.Context, w *world) {
				update(ctx, w, w.backend, func(b *v1alpha1.TarsBackend) { b.Spec.ExtProc = nil })
			},
		}),
	)

	It("serves one parent while another one is missing", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.backend.Spec.ParentRefs = append(w.backend.Spec.ParentRefs, gatewayv1.ParentReference{Name: "later"})
		w.create(ctx)
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonGatewayNotFound, "/later")
		Eventually(func(g Gomega) {
			b := w.current(ctx, g)
			g.Expect(b.Status.Parents).To(HaveLen(2))
			for _, c := range b.Status.Parents[0].Conditions {
				g.Expect(c.Status).To(Equal(metav1.ConditionTrue), "%s: %s", c.Type, c.Message)
			}
		}).Should(Succeed())
	})

	It("takes a parentRef with and without its own namespace for the same", func(ctx SpecContext) {
		w := newWorld(ctx)
		own := gatewayv1.Namespace(w.namespace)
		w.backend.Spec.ParentRefs = append(w.backend.Spec.ParentRefs, gatewayv1.ParentReference{Name: "gw", Namespace: &own})
		w.create(ctx)
		w.expectReady(ctx)
	})
})

func setKey(value string) func(context.Context, *world) {
	return func(ctx context.Context, w *world) {
		GinkgoHelper()
		Expect(w.get(ctx, w.secret)).To(Succeed())
		w.secret.Data["apiKey"] = []byte(value)
		Expect(w.api.Update(ctx, w.secret)).To(Succeed())
	}
}

func setClass(ctx context.Context, w *world) {
	GinkgoHelper()
	update(ctx, w, w.gateway, func(g *gatewayv1.Gateway) { g.Spec.GatewayClassName = egClass })
}

func setCA(ctx context.Context, w *world) {
	GinkgoHelper()
	Expect(w.api.Update(ctx, w.ca(map[string]string{"ca.crt": someCA()}))).To(Succeed())
}

// invalidKey is a Secret whose value no header takes.
func invalidKey(value, word string) fault {
	return fault{
		condition: v1alpha1.ConditionResolvedRefs, reason: v1alpha1.ReasonInvalidSecret,
		words:  []string{"tars-api-key", word},
		breaks: func(_ context.Context, w *world) { w.secret.Data["apiKey"] = []byte(value) },
		heals:  setKey(tarsKey),
	}
}

// played is a fault that the fake Envoy Gateway plays.
func played(b behaviour, condition, reason string, words ...string) fault {
	return fault{
		condition: condition, reason: reason, words: words,
		breaks: func(ctx context.Context, w *world) { eg.behave(ctx, w.namespace, b) },
		heals:  func(ctx context.Context, w *world) { eg.behave(ctx, w.namespace, behaviour{}) },
	}
}

// answering is an Envoy that gives a wrong answer.
func answering(outcome conditions.ProbeOutcome, reason string) fault {
	return fault{
		condition: v1alpha1.ConditionDataPlaneVerified, reason: reason,
		words:  []string{"/envoy-1", "something odd"},
		breaks: func(_ context.Context, w *world) { prober.tell(w.namespace, outcome, "said something odd") },
		heals:  func(_ context.Context, w *world) { prober.tell(w.namespace, conditions.ProbeVerified, "") },
	}
}

// trust names the CA's ConfigMap in the spec.
func (w *world) trust(name string) {
	w.backend.Spec.Endpoint.TLS = &v1alpha1.EndpointTLS{Validation: &v1alpha1.EndpointTLSValidation{
		CACertificateRefs: []gatewayv1.LocalObjectReference{{Kind: "ConfigMap", Name: gatewayv1.ObjectName(name)}},
	}}
}

func (w *world) ca(data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: w.meta("tars-ca"), Data: data}
}

// someCA is a certificate that parses: the API server's own.
func someCA() string { return string(admin.CAData) }
