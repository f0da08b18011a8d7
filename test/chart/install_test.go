// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bytes"
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("On a real API server", Ordered, func() {
	var cluster *testCluster

	BeforeAll(func(ctx SpecContext) {
		cluster = startCluster()
		cluster.makeNamespace(ctx)
		cluster.fetchSchemas()
	})

	It("config/default is accepted", func(ctx SpecContext) {
		cluster.dryRun(ctx, kustomizeBuild("default"))
	})

	It("every installation conforms to the API server's schemas", func(ctx SpecContext) {
		Expect(cluster.conforms(ctx, helmTemplate(nil))).To(BeEmpty())
		Expect(cluster.conforms(ctx, kustomizeBuild("default"))).To(BeEmpty())
		for _, file := range valuesFiles() {
			Expect(cluster.conforms(ctx, helmTemplate(readValues(file)))).To(BeEmpty(), file)
		}
	})

	It("an object with a field too many does not conform", func(ctx SpecContext) {
		kinds := map[string]bool{}
		for _, object := range helmTemplate(readValues("testdata/values/everything.yaml")) {
			kinds[object.GetKind()] = true
			object.Object["unknown"] = "field"
			Expect(cluster.conforms(ctx, objects{object})).To(ConsistOf(ContainSubstring("unknown")), key(object))
		}
		Expect(kinds).To(And(HaveKey("ServiceMonitor"), HaveKey("PodMonitor"), HaveKey("PrometheusRule")))
	})

	It("an object of a kind without a schema does not conform", func(ctx SpecContext) {
		other := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Other", "metadata": map[string]any{"name": "a"}}}
		Expect(cluster.conforms(ctx, objects{other})).To(ConsistOf(ContainSubstring("schema")))
	})

	It("the manager's pod is admitted where pod security restricted is enforced", func(ctx SpecContext) {
		Expect(cluster.admits(ctx, decode(kustomizeBuild("default")), nil)).To(Succeed())
		Expect(cluster.admits(ctx, decode(helmTemplate(nil)), nil)).To(Succeed())
		all := fullValues()
		all["metrics"] = values{"enabled": true}
		all["leaderElection"] = values{"enabled": true}
		Expect(cluster.admits(ctx, decode(helmTemplate(all)), nil)).To(Succeed())
	})

	It("helm test's pod is admitted there too", func(ctx SpecContext) {
		Expect(cluster.admitsSelftest(ctx)).To(Succeed())
	})

	DescribeTable("a pod with less is not admitted, so admission is at work",
		func(ctx SpecContext, change func(*corev1.PodSpec)) {
			err := cluster.admits(ctx, decode(helmTemplate(nil)), change)
			Expect(err).To(MatchError(ContainSubstring(`violates PodSecurity "restricted:latest"`)))
		},
		Entry("root allowed", func(p *corev1.PodSpec) { p.SecurityContext.RunAsNonRoot = nil }),
		Entry("no seccomp profile", func(p *corev1.PodSpec) { p.SecurityContext.SeccompProfile = nil }),
		Entry("capabilities kept", func(p *corev1.PodSpec) { p.Containers[0].SecurityContext.Capabilities = nil }),
		Entry("escalation allowed", func(p *corev1.PodSpec) { p.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil }),
	)

	It("the chart installs everything it renders", func(ctx SpecContext) {
		cluster.install(nil)
		everything := helmTemplate(nil)
		Expect(cluster.present(ctx, everything)).To(HaveLen(len(everything)))
		cluster.expectServed(ctx)
	})

	It("the samples are accepted", func(ctx SpecContext) {
		samples := kustomizeBuild("samples")
		Expect(samples).To(HaveLen(4))
		cluster.dryRun(ctx, samples)
	})

	It("the TarsBackend in the chart's notes is accepted", func(ctx SpecContext) {
		out, err := installation{}.template()
		Expect(err).NotTo(HaveOccurred())
		_, rest, found := strings.Cut(out.notes, "<<EOF\n")
		Expect(found).To(BeTrue())
		// A shell ends a here-document only at a line that is exactly this.
		text, _, found := strings.Cut(rest, "\nEOF\n")
		Expect(found).To(BeTrue())
		backends, err := parse([]byte(text))
		Expect(err).NotTo(HaveOccurred())
		Expect(backends.kind("TarsBackend")).To(HaveLen(1))
		cluster.dryRun(ctx, backends)
	})

	It("helm upgrade upgrades the CRD and the manager", func(ctx SpecContext) {
		older := loadChart()
		for _, file := range older.Files {
			if strings.HasPrefix(file.Name, "files/crds/") {
				file.Data = bytes.Replace(file.Data, []byte("    shortNames:\n    - tars\n"), nil, 1)
			}
		}
		cluster.upgrade(older, nil)
		Expect(cluster.crd(ctx).Spec.Names.ShortNames).To(BeEmpty())

		cluster.upgrade(loadChart(), only("endpoints.allowed", []any{"api.example.com"}))
		Expect(cluster.crd(ctx).Spec.Names.ShortNames).To(Equal([]string{"tars"}))
		Expect(argument(cluster.manager(ctx).Args, "allowed-endpoints")).To(Equal("api.example.com"))
	})

	It("helm uninstall leaves the CRD and the TarsBackends, and nothing else", func(ctx SpecContext) {
		backend := kustomizeBuild("samples").kind("TarsBackend")[0]
		backend.SetNamespace("default")
		Expect(cluster.api.Apply(ctx, client.ApplyConfigurationFromUnstructured(backend), owner)).To(Succeed())
		cluster.uninstall()
		Expect(cluster.present(ctx, helmTemplate(nil))).To(Equal([]string{"CustomResourceDefinition.apiextensions.k8s.io /" + crdName}))
		Expect(cluster.present(ctx, objects{backend})).To(HaveLen(1))
	})

	It("the chart installs again over the CRD that stayed", func(ctx SpecContext) {
		cluster.install(nil)
		everything := helmTemplate(nil)
		Expect(cluster.present(ctx, everything)).To(HaveLen(len(everything)))
	})

	It("helm uninstall takes the CRD along where the chart was told so", func(ctx SpecContext) {
		cluster.upgrade(loadChart(), only("crd.keep", false))
		cluster.uninstall()
		Eventually(func() []string { return cluster.present(ctx, helmTemplate(nil)) }).
			WithTimeout(settleTimeout).WithPolling(pollInterval).Should(BeEmpty())
	})
})

// manager is the container of the one Deployment that is installed.
func (c *testCluster) manager(ctx context.Context) corev1.Container {
	GinkgoHelper()
	deployments := appsv1.DeploymentList{}
	Expect(c.api.List(ctx, &deployments, client.InNamespace(releaseNamespace))).To(Succeed())
	Expect(deployments.Items).To(HaveLen(1))
	return typed{deployments: []*appsv1.Deployment{&deployments.Items[0]}}.manager()
}
