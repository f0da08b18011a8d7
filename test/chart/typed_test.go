// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scheme has every type that is rendered.
func scheme() *runtime.Scheme {
	GinkgoHelper()
	s := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(s)).To(Succeed())
	Expect(apiextensionsv1.AddToScheme(s)).To(Succeed())
	Expect(monitoringv1.AddToScheme(s)).To(Succeed())
	return s
}

// typed decodes an installation's objects strictly, so that a field of the
// wrong name or in the wrong place is an error.
type typed struct {
	deployments     []*appsv1.Deployment
	services        []*corev1.Service
	serviceAccounts []*corev1.ServiceAccount
	roles           []*rbacv1.Role
	clusterRoles    []*rbacv1.ClusterRole
	roleBindings    []*rbacv1.RoleBinding
	clusterBindings []*rbacv1.ClusterRoleBinding
	crds            []*apiextensionsv1.CustomResourceDefinition
	monitors        []*monitoringv1.ServiceMonitor
	podMonitors     []*monitoringv1.PodMonitor
	rules           []*monitoringv1.PrometheusRule
	dashboards      []*corev1.ConfigMap
	networkPolicies []*networkingv1.NetworkPolicy
	budgets         []*policyv1.PodDisruptionBudget
	namespaces      []*corev1.Namespace
	all             []client.Object
}

func decode(rendered objects) typed {
	GinkgoHelper()
	decoder := serializer.NewCodecFactory(scheme(), serializer.EnableStrict).UniversalDeserializer()
	out := typed{}
	for _, object := range rendered {
		text, err := object.MarshalJSON()
		Expect(err).NotTo(HaveOccurred())
		decoded, _, err := decoder.Decode(text, nil, nil)
		Expect(err).NotTo(HaveOccurred(), key(object))
		out.add(decoded)
	}
	return out
}

func (t *typed) add(decoded runtime.Object) {
	GinkgoHelper()
	switch o := decoded.(type) {
	case *appsv1.Deployment:
		t.deployments = append(t.deployments, o)
	case *corev1.Service:
		t.services = append(t.services, o)
	case *corev1.ServiceAccount:
		t.serviceAccounts = append(t.serviceAccounts, o)
	case *rbacv1.Role, *rbacv1.ClusterRole, *rbacv1.RoleBinding, *rbacv1.ClusterRoleBinding:
		t.addRBAC(decoded)
	case *apiextensionsv1.CustomResourceDefinition:
		t.crds = append(t.crds, o)
	case *monitoringv1.ServiceMonitor:
		t.monitors = append(t.monitors, o)
	case *monitoringv1.PodMonitor:
		t.podMonitors = append(t.podMonitors, o)
	case *monitoringv1.PrometheusRule:
		t.rules = append(t.rules, o)
	case *corev1.ConfigMap:
		t.dashboards = append(t.dashboards, o)
	case *networkingv1.NetworkPolicy:
		t.networkPolicies = append(t.networkPolicies, o)
	case *policyv1.PodDisruptionBudget:
		t.budgets = append(t.budgets, o)
	case *corev1.Namespace:
		t.namespaces = append(t.namespaces, o)
	default:
		Fail("an object of an unexpected kind is rendered")
	}
	object, ok := decoded.(client.Object)
	Expect(ok).To(BeTrue())
	t.all = append(t.all, object)
}

func (t *typed) addRBAC(decoded runtime.Object) {
	switch o := decoded.(type) {
	case *rbacv1.Role:
		t.roles = append(t.roles, o)
	case *rbacv1.ClusterRole:
		t.clusterRoles = append(t.clusterRoles, o)
	case *rbacv1.RoleBinding:
		t.roleBindings = append(t.roleBindings, o)
	case *rbacv1.ClusterRoleBinding:
		t.clusterBindings = append(t.clusterBindings, o)
	}
}

// deployment is the manager's.
func (t typed) deployment() *appsv1.Deployment {
	GinkgoHelper()
	Expect(t.deployments).To(HaveLen(1))
	return t.deployments[0]
}

// pod is the manager's pod.
func (t typed) pod() corev1.PodSpec {
	GinkgoHelper()
	return t.deployment().Spec.Template.Spec
}

// manager is the manager's container.
func (t typed) manager() corev1.Container {
	GinkgoHelper()
	Expect(t.pod().Containers).To(HaveLen(1))
	Expect(t.pod().InitContainers).To(BeEmpty())
	return t.pod().Containers[0]
}

// names of objects.
func names[T client.Object](list []T) []string {
	out := make([]string, 0, len(list))
	for _, object := range list {
		out = append(out, object.GetName())
	}
	return out
}

// expectConnected checks that what the objects say about each other holds.
func (t typed) expectConnected() {
	GinkgoHelper()
	deployment := t.deployment()
	podLabels := labels.Set(deployment.Spec.Template.Labels)
	matches := func(selector *metav1.LabelSelector, set labels.Set, what string) {
		GinkgoHelper()
		parsed, err := metav1.LabelSelectorAsSelector(selector)
		Expect(err).NotTo(HaveOccurred())
		Expect(parsed.Empty()).To(BeFalse(), "%s selects everything", what)
		Expect(parsed.Matches(set)).To(BeTrue(), "%s does not select what it is for", what)
	}
	matches(deployment.Spec.Selector, podLabels, "the Deployment")
	for _, service := range t.services {
		matches(&metav1.LabelSelector{MatchLabels: service.Spec.Selector}, podLabels, "the Service")
		for _, port := range service.Spec.Ports {
			Expect(t.manager().Ports).To(ContainElement(And(
				HaveField("Name", port.TargetPort.StrVal), HaveField("ContainerPort", port.Port))))
		}
	}
	for _, policy := range t.networkPolicies {
		matches(&policy.Spec.PodSelector, podLabels, "the NetworkPolicy")
	}
	for _, budget := range t.budgets {
		matches(budget.Spec.Selector, podLabels, "the PodDisruptionBudget")
	}
	for _, monitor := range t.monitors {
		Expect(t.services).To(HaveLen(1))
		matches(&monitor.Spec.Selector, t.services[0].Labels, "the ServiceMonitor")
		for _, endpoint := range monitor.Spec.Endpoints {
			Expect(t.services[0].Spec.Ports).To(ContainElement(HaveField("Name", endpoint.Port)))
		}
	}
	t.expectBindings()
	for _, object := range t.all {
		switch object.(type) {
		case *rbacv1.ClusterRole, *rbacv1.ClusterRoleBinding, *apiextensionsv1.CustomResourceDefinition, *corev1.Namespace:
			Expect(object.GetNamespace()).To(BeEmpty(), object.GetName())
		default:
			allowed := append(namespacesOf(t.manager().Args), releaseNamespace)
			Expect(allowed).To(ContainElement(object.GetNamespace()), object.GetName())
		}
		Expect(len(object.GetName())).To(BeNumerically("<=", 63), object.GetName())
	}
}

// expectBindings checks that each binding gives a role that is there to the
// ServiceAccount that the manager runs as.
func (t typed) expectBindings() {
	GinkgoHelper()
	subject := []rbacv1.Subject{{Kind: "ServiceAccount", Name: t.pod().ServiceAccountName, Namespace: releaseNamespace}}
	for _, binding := range t.roleBindings {
		Expect(binding.RoleRef.APIGroup).To(Equal(rbacv1.GroupName))
		Expect(binding.RoleRef.Kind).To(Equal("Role"))
		Expect(names(t.roles)).To(ContainElement(binding.RoleRef.Name))
		Expect(binding.Subjects).To(Equal(subject))
	}
	for _, binding := range t.clusterBindings {
		Expect(binding.RoleRef.APIGroup).To(Equal(rbacv1.GroupName))
		Expect(binding.RoleRef.Kind).To(Equal("ClusterRole"))
		Expect(names(t.clusterRoles)).To(ContainElement(binding.RoleRef.Name))
		Expect(binding.Subjects).To(Equal(subject))
	}
}

// namespacesOf are those that the manager is told to look after.
func namespacesOf(args []string) []string {
	for _, a := range args {
		if value, ok := strings.CutPrefix(a, "--namespaces="); ok {
			return strings.Split(value, ",")
		}
	}
	return nil
}
