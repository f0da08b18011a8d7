// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// defaulted is everything that the API server adds to the minimal spec:
// identities and modes, and no tuning.
const defaulted = `
parentRefs:
- group: gateway.networking.k8s.io
  kind: Gateway
  name: gateway
pathPrefix: /
endpoint:
  hostname: api.router.tetrate.ai
  port: 443
credential:
  secretRef:
    name: tars-api-key
    key: apiKey
  verification:
    mode: Periodic
readiness:
  dataPlane: Required
`

var _ = Describe("Defaults", func() {
	It("are exactly identities and modes", func(ctx SpecContext) {
		u := tarsBackend("example", "")
		Expect(admit(ctx, u)).To(Succeed())
		spec, err := yaml.Marshal(u.Object["spec"])
		Expect(err).NotTo(HaveOccurred())
		Expect(spec).To(MatchYAML(defaulted))
		Expect(u.Object["status"]).To(Equal(map[string]any{"observedGeneration": int64(-1)}),
			"kstatus would call an object without observedGeneration current")
	})

	It("leave what was written as it is", func(ctx SpecContext) {
		u := tarsBackend("example", `
parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}]
pathPrefix: /llm
endpoint: {hostname: eu.example.com, port: 8443}
credential: {secretRef: {name: s, key: other}, verification: {mode: Disabled}}
readiness: {dataPlane: Informational}
models: {}
timeouts: {}
requestBody: {}
extProc: {podTemplate: {metadata: {}}}
`)
		written, err := yaml.Marshal(u.Object["spec"])
		Expect(err).NotTo(HaveOccurred())
		Expect(admit(ctx, u)).To(Succeed())
		Expect(yaml.Marshal(u.Object["spec"])).To(MatchYAML(written))
	})

	It("reach an object made with the Go types", func(ctx SpecContext) {
		tb := &v1alpha1.TarsBackend{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "typed-"},
			Spec: v1alpha1.TarsBackendSpec{
				ParentRefs: []gatewayv1.ParentReference{{Name: "gateway"}},
				Credential: v1alpha1.Credential{SecretRef: v1alpha1.SecretKeyReference{Name: "tars-api-key"}},
			},
		}
		Expect(api.Create(ctx, tb, client.FieldValidation(metav1.FieldValidationStrict))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(api.Delete(ctx, tb)).To(Succeed()) })

		spec, err := yaml.Marshal(tb.Spec)
		Expect(err).NotTo(HaveOccurred())
		Expect(spec).To(MatchYAML(defaulted))
		Expect(tb.Status.ObservedGeneration).To(Equal(int64(-1)))

		list := &v1alpha1.TarsBackendList{}
		Expect(api.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
		Expect(list.Items).To(ContainElement(HaveField("Name", tb.Name)))
	})
})

var _ = Describe("The documentation of a field", func() {
	// What a release may improve is no CRD default, so its value stands in
	// two places: in defaults.go and in the field's description.
	resources := v1alpha1.DefaultExtProcResources()
	DescribeTable("tells the tuning default", func(ctx SpecContext, path, words string) {
		description := fields(readCRD(ctx))[path].Description
		Expect(strings.Join(strings.Fields(description), " ")).To(ContainSubstring(words))
	},
		Entry(nil, "spec.timeouts.connect", "When unspecified, "+short(v1alpha1.DefaultConnectTimeout)+"."),
		Entry(nil, "spec.timeouts.streamIdle", "When unspecified, "+short(v1alpha1.DefaultStreamIdleTimeout)+"."),
		Entry(nil, "spec.timeouts.request", "When unspecified, "+short(v1alpha1.DefaultRequestTimeout)+"."),
		Entry(nil, "spec.retry.attempts", fmt.Sprintf("When unspecified, %d.", v1alpha1.DefaultRetryAttempts)),
		Entry(nil, "spec.retry.codes", fmt.Sprintf("When unspecified, %d.", v1alpha1.DefaultRetryCode)),
		Entry(nil, "spec.requestBody.maxSize", fmt.Sprintf("When unspecified, %dMi.", v1alpha1.DefaultMaxRequestBytes>>20)),
		Entry(nil, "spec.extProc.replicas", fmt.Sprintf("When unspecified, %d.", v1alpha1.DefaultExtProcReplicas)),
		Entry(nil, "spec.extProc.drainTimeout", "When unspecified, "+short(v1alpha1.DefaultDrainTimeout)+"."),
		Entry(nil, "spec.extProc.resources", fmt.Sprintf(
			"When unspecified, requests of %s CPU and %s memory and a memory limit of %s.",
			resources.Requests.Cpu(), resources.Requests.Memory(), resources.Limits.Memory())),
	)
})

// short is a duration as users write it: 10m, not 10m0s.
func short(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
