// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers"
)

// The Gateway, its EnvoyProxy and its Envoys are in a namespace of the
// platform's, in which the manager may write nothing and read no Secret.
var _ = Describe("A manager that looks after one namespace", Ordered, func() {
	var (
		c                          client.Client
		watched, platform, foreign *world
		manager                    *testManager
		asked                      *fakeProber
	)

	BeforeAll(func(ctx SpecContext) {
		env := startAPIServer(ourCRDs(), gatewayAPICRDs(), envoyGatewayCRDs())
		env.Config.QPS = -1
		c = newClient(env.Config)
		createGatewayClasses(ctx, c)
		fake := startFakeEnvoyGateway(env.Config)
		DeferCleanup(func() { fake.stop() })
		watched, platform, foreign = newWorldIn(ctx, c), newWorldIn(ctx, c), newWorldIn(ctx, c)
		asked = newFakeProber()
		manager = startManager(userOfNamespace(ctx, c, env.Config, watched.namespace), asked, watched.namespace)
		DeferCleanup(func() { manager.stop() })
	})

	It("serves its TarsBackend at a Gateway of another namespace", func(ctx SpecContext) {
		drains{gateway: new(gatewayv1.Duration("30s"))}.setUp(ctx, platform)
		platform.gateway.Spec.Listeners[0].AllowedRoutes = &gatewayv1.AllowedRoutes{
			Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromSelector), Selector: &metav1.LabelSelector{
				MatchLabels: map[string]string{"kubernetes.io/metadata.name": watched.namespace},
			}},
		}
		platform.create(ctx, platform.gateway, platform.service, platform.slice)
		watched.backend.Spec.ParentRefs[0].Namespace = new(gatewayv1.Namespace(platform.namespace))
		watched.create(ctx, watched.secret, watched.backend)
		watched.expectReady(ctx)
	})

	It("asks the Envoys there", func() {
		asked.mu.Lock()
		defer asked.mu.Unlock()
		Expect(asked.plans[watched.name()].Targets).NotTo(BeEmpty())
	})

	It("knows how long they drain", func(ctx SpecContext) {
		Eventually(func() []string { return drainWarnings(ctx, watched) }).
			Should(ConsistOf(ContainSubstring("EnvoyProxy " + platform.namespace + "/of-gateway")))
	})

	It("follows the Envoys' addresses", func(ctx SpecContext) {
		plan := func() any {
			asked.mu.Lock()
			defer asked.mu.Unlock()
			return asked.plans[watched.name()].Targets
		}
		before := plan()
		update(ctx, platform, platform.slice, func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Addresses = []string{"192.0.2.8"} })
		Eventually(plan).ShouldNot(Equal(before))
		watched.expectReady(ctx)
	})

	It("leaves the TarsBackends of other namespaces alone", func(ctx SpecContext) {
		foreign.create(ctx)
		namespace := &corev1.Namespace{}
		Expect(c.Get(ctx, client.ObjectKey{Name: foreign.namespace}, namespace)).To(Succeed())
		namespace.Labels["team"] = "other"
		Expect(c.Update(ctx, namespace)).To(Succeed())
		Consistently(func(g Gomega) {
			g.Expect(foreign.current(ctx, g).Status.Conditions).To(BeEmpty())
			g.Expect(foreign.current(ctx, g).Finalizers).To(BeEmpty())
			g.Expect(foreign.children(ctx, g)).To(BeEmpty())
		}).Should(Succeed())
	})

	It("takes everything back", func(ctx SpecContext) {
		Expect(c.Delete(ctx, watched.backend)).To(Succeed())
		Eventually(func() error { return watched.get(ctx, named(watched, &v1alpha1.TarsBackend{}, watched.backend.Name)) }).
			ShouldNot(Succeed())
	})

	It("changes nothing elsewhere", func() {
		manager.stop()
		Expect(manager.logs.String()).NotTo(ContainSubstring("forbidden"))
		Expect(manager.requests.about(platform.namespace)).To(BeEmpty())
		Expect(manager.requests.about(foreign.namespace)).To(BeEmpty())
	})
})

// userOfNamespace is a user with the manager's rights in one namespace, and
// beyond it those alone that it needs everywhere.
func userOfNamespace(ctx context.Context, c client.Client, config *rest.Config, namespace string) *rest.Config {
	GinkgoHelper()
	const name = "manager-of-one"
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}}
	whole, leader := &rbacv1.ClusterRole{}, &rbacv1.Role{}
	readYAML(filepath.Join("..", "config", "rbac", "role.yaml"), whole)
	readYAML(filepath.Join("..", "config", "rbac", "leader_election_role.yaml"), leader)
	everywhere, perNamespace := controllers.SplitRules(whole.Rules)
	Expect(everywhere).To(HaveEach(HaveField("Verbs", HaveEach(BeElementOf("get", "list", "watch")))))

	Expect(c.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: everywhere})).To(Succeed())
	Expect(c.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
	})).To(Succeed())
	for in, rules := range map[string][]rbacv1.PolicyRule{namespace: perNamespace, leaderElectionNamespace: leader.Rules} {
		Expect(c.Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: name}, Rules: rules})).To(Succeed())
		Expect(c.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: name}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		})).To(Succeed())
	}
	user := rest.CopyConfig(config)
	user.Impersonate = rest.ImpersonationConfig{UserName: name}
	return user
}
