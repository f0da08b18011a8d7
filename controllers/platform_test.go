// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

var _ = Describe("A cluster without Envoy Gateway", Ordered, func() {
	var (
		bare     *envtest.Environment
		bareAPI  client.Client
		manager  *testManager
		w        *world
		fake     *fakeEnvoyGateway
		prepared bool
	)

	BeforeAll(func(ctx SpecContext) {
		bare = startAPIServer(ourCRDs())
		bare.Config.QPS = -1
		bareAPI = newClient(bare.Config)
		user := addManagerUser(ctx, bare, bareAPI)
		manager = startManager(user, newFakeProber())
		DeferCleanup(func() { manager.stop() })
		w = newWorldIn(ctx, bareAPI)
		w.create(ctx, w.secret, w.backend)
		prepared = true
	})

	It("is told so in one condition, and the manager runs", func(ctx SpecContext) {
		Expect(prepared).To(BeTrue())
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonEnvoyGatewayNotInstalled,
			"backends.gateway.envoyproxy.io", "gateways.gateway.networking.k8s.io", "install Envoy Gateway 1.9.1")
	})

	It("deletes a TarsBackend all the same", func(ctx SpecContext) {
		other := newWorldIn(ctx, bareAPI)
		other.create(ctx, other.backend)
		other.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonSecretNotFound)
		Expect(bareAPI.Delete(ctx, other.backend)).To(Succeed())
		Eventually(func() error { return other.get(ctx, other.backend) }).Should(MatchError(ContainSubstring("not found")))
	})

	It("is told which of them are missing", func(ctx SpecContext) {
		install(bare, gatewayAPICRDs())
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonEnvoyGatewayNotInstalled, "backends.gateway.envoyproxy.io")
		Expect(w.condition(ctx, Default, v1alpha1.ConditionResolvedRefs).Message).NotTo(ContainSubstring("gateways.gateway.networking"))
	})

	It("is told when Envoy Gateway is too old", func(ctx SpecContext) {
		install(bare, envoyGatewayCRDs())
		changeExtensionPolicyCRD(ctx, bareAPI, func(spec *apiextensionsv1.JSONSchemaProps) { delete(spec.Properties, "mergeType") })
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonEnvoyGatewayTooOld, "spec.mergeType", "upgrade Envoy Gateway")

		install(bare, filepath.Join(envoyGatewayCRDs(), "gateway.envoyproxy.io_envoyextensionpolicies.yaml"))
		changeExtensionPolicyCRD(ctx, bareAPI, func(spec *apiextensionsv1.JSONSchemaProps) {
			extProc := spec.Properties["extProc"]
			delete(extProc.Items.Schema.Properties, "statusOnError")
		})
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonEnvoyGatewayTooOld, "spec.extProc[].statusOnError", "1.9.1")
	})

	It("heals by itself once Envoy Gateway is there", func(ctx SpecContext) {
		install(bare, filepath.Join(envoyGatewayCRDs(), "gateway.envoyproxy.io_envoyextensionpolicies.yaml"))
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonGatewayNotFound)
		createGatewayClasses(ctx, bareAPI)
		fake = startFakeEnvoyGateway(bare.Config)
		w.create(ctx, w.gateway, w.service, w.slice)
		w.expectReady(ctx)
	})

	It("notices when Envoy Gateway is uninstalled and comes back", func(ctx SpecContext) {
		uninstall(ctx, bareAPI, "backends.gateway.envoyproxy.io")
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonEnvoyGatewayNotInstalled, "backends.gateway.envoyproxy.io")
		install(bare, filepath.Join(envoyGatewayCRDs(), "gateway.envoyproxy.io_backends.yaml"))
		fake.stop() // its watches on the old CRD are as dead as ours were
		fake = startFakeEnvoyGateway(bare.Config)
		w.expectReadyWithin(ctx, relist)
	})

	It("lets a TarsBackend go when there are no HTTPRoutes any more", func(ctx SpecContext) {
		uninstall(ctx, bareAPI, "httproutes.gateway.networking.k8s.io")
		w.expectNotReady(ctx, v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonEnvoyGatewayNotInstalled, "httproutes")
		Expect(bareAPI.Delete(ctx, w.backend)).To(Succeed())
		Eventually(func() error { return w.get(ctx, w.backend) }).Should(MatchError(ContainSubstring("not found")))
	})
})

// install installs CRDs, over what there is of the same names.
func install(env *envtest.Environment, path string) {
	GinkgoHelper()
	_, err := envtest.InstallCRDs(env.Config, envtest.CRDInstallOptions{
		Paths: []string{path}, ErrorIfPathMissing: true, MaxTime: startTimeout,
	})
	Expect(err).NotTo(HaveOccurred())
}

// uninstall deletes a CRD and waits until it, and with it every object, is gone.
func uninstall(ctx context.Context, c client.Client, name string) {
	GinkgoHelper()
	crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(c.Delete(ctx, crd)).To(Succeed())
	Eventually(func() error { return c.Get(ctx, client.ObjectKeyFromObject(crd), crd) }).Should(MatchError(ContainSubstring("not found")))
}

// changeExtensionPolicyCRD makes of the EnvoyExtensionPolicy's CRD an older one.
func changeExtensionPolicyCRD(ctx context.Context, c client.Client, change func(spec *apiextensionsv1.JSONSchemaProps)) {
	GinkgoHelper()
	Eventually(func() error {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := c.Get(ctx, client.ObjectKey{Name: "envoyextensionpolicies.gateway.envoyproxy.io"}, crd); err != nil {
			return err
		}
		spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		spec.XValidations = nil // they name the fields that go
		change(&spec)
		crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"] = spec
		return c.Update(ctx, crd)
	}).Should(Succeed())
}
