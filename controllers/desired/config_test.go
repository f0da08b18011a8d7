// SPDX-License-Identifier: Apache-2.0

package desired_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
	"github.com/tars-operator/tars-operator/extproc/config"
)

var _ = Describe("The external processor's configuration", func() {
	DescribeTable("says what happens to unlisted paths",
		func(models *v1alpha1.Models, unlisted v1alpha1.UnlistedPaths, forward bool) {
			in := readInput("minimal")
			in.Backend.Spec.Models, in.Backend.Spec.UnlistedPaths = models, unlisted
			Expect(route(build(in)).ForwardUnlistedPaths).To(Equal(forward))
		},
		Entry("forwarded by default", nil, v1alpha1.UnlistedPaths(""), true),
		Entry("forwarded with aliases alone", &v1alpha1.Models{Aliases: []v1alpha1.ModelAlias{{Name: "a", Model: "b"}}},
			v1alpha1.UnlistedPaths(""), true),
		Entry("denied once there is an allow-list", &v1alpha1.Models{Allow: []string{"a"}}, v1alpha1.UnlistedPaths(""), false),
		Entry("forwarded in spite of an allow-list when asked for", &v1alpha1.Models{Allow: []string{"a"}},
			v1alpha1.UnlistedPathsForward, true),
		Entry("denied when asked for", nil, v1alpha1.UnlistedPathsDeny, false),
	)

	It("names the route and the endpoint as metrics do", func() {
		r := route(build(readInput("full")))
		Expect(r.Name).To(Equal("team-a/tars"))
		Expect(r.ServerAddress).To(Equal("tars.internal.example.com"))
		Expect(r.ServerPort).To(Equal(int32(8443)))
	})

	It("sorts what has no order", func() {
		in := readInput("minimal")
		in.Backend.Spec.Models = &v1alpha1.Models{
			Allow:   []string{"c", "a", "b"},
			Aliases: []v1alpha1.ModelAlias{{Name: "z", Model: "1"}, {Name: "y", Model: "2"}},
		}
		r := route(build(in))
		Expect(r.Allow).To(HaveExactElements("a", "b", "c"))
		Expect(r.Aliases).To(HaveExactElements(config.Alias{Name: "y", Model: "2"}, config.Alias{Name: "z", Model: "1"}))
	})

	DescribeTable("bounds a body in bytes",
		func(size *resource.Quantity, bytes int64) {
			in := readInput("minimal")
			in.Backend.Spec.RequestBody = &v1alpha1.RequestBody{MaxSize: size}
			Expect(route(build(in)).MaxRequestBytes).To(Equal(bytes))
		},
		Entry("by default", nil, int64(32<<20)),
		Entry("in mebibytes", new(resource.MustParse("1Mi")), int64(1<<20)),
		Entry("in megabytes", new(resource.MustParse("1M")), int64(1_000_000)),
	)

	DescribeTable("drains as long as asked, and the pod outlives that",
		func(drain *gatewayv1.Duration, seconds, grace int) {
			in := readInput("minimal")
			in.Backend.Spec.ExtProc = &v1alpha1.ExtProc{DrainTimeout: drain}
			objects := build(in)
			parsed, _, err := config.Parse([]byte(only[*corev1.ConfigMap](objects).Data[config.FileName]))
			Expect(err).NotTo(HaveOccurred())
			Expect(parsed.DrainSeconds).To(BeEquivalentTo(seconds))
			pod := only[*appsv1.Deployment](objects).Spec.Template.Spec
			Expect(pod.TerminationGracePeriodSeconds).To(HaveValue(BeEquivalentTo(grace)))
		},
		Entry("by default", nil, 600, 675),
		Entry("in seconds", new(gatewayv1.Duration("1s")), 1, 76),
		Entry("rounded up", new(gatewayv1.Duration("1001ms")), 2, 77),
		Entry("in mixed units", new(gatewayv1.Duration("1m30s500ms")), 91, 166),
		Entry("for an hour", new(gatewayv1.Duration("1h")), 3600, 3675),
	)

	It("is in an immutable ConfigMap that is named by its content", func() {
		objects := build(readInput("minimal"))
		configMap := only[*corev1.ConfigMap](objects)
		Expect(configMap.Immutable).To(HaveValue(BeTrue()))
		Expect(configMap.Name).To(Equal("tars-extproc-" + objects.ConfigHash))
		Expect(objects.ConfigHash).To(MatchRegexp("^[0-9a-f]{16}$"))
	})
})

var _ = Describe("A key's fingerprint", func() {
	It("is the beginning of its SHA-256", func() {
		// printf %s sk-test | sha256sum
		Expect(desired.CredentialFingerprint("sk-test")).To(Equal("sha256:f3abf2a6"))
	})
})
