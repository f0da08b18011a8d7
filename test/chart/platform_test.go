// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// severalEffects are those of values that act where there are several managers.
func severalEffects() map[string]func(typed) {
	return map[string]func(typed){
		"manager.podDisruptionBudget.enabled": func(t typed) { Expect(t.budgets).To(BeEmpty()) },
		"manager.podDisruptionBudget.maxUnavailable": func(t typed) {
			Expect(t.budgets).To(HaveLen(1))
			Expect(t.budgets[0].Spec.MaxUnavailable).To(HaveValue(Equal(intstr.FromString("50%"))))
			t.expectConnected()
		},
	}
}

// expectRolesPerNamespace is the effect of watchNamespaces [team-a, team-b].
func expectRolesPerNamespace(t typed) {
	GinkgoHelper()
	Expect(argument(t.manager().Args, "namespaces")).To(Equal("team-a,team-b"))
	t.expectConnected()
	var whole, everywhere []rbacv1.PolicyRule
	for _, role := range decode(helmTemplate(nil)).clusterRoles {
		if role.Name == "tars-operator-manager-role" {
			whole = role.Rules
		}
	}
	for _, role := range t.clusterRoles {
		if role.Name == "tars-operator-manager-role" {
			everywhere = role.Rules
		}
	}
	Expect(everywhere).To(HaveEach(HaveField("Verbs", HaveEach(BeElementOf("get", "list", "watch")))), "nothing is written everywhere")
	Expect(permissions(everywhere)).NotTo(ContainElement(MatchRegexp(" (secrets|configmaps|pods|tarsbackends)")))
	perNamespace := map[string][]rbacv1.PolicyRule{}
	for _, role := range t.roles {
		if role.Name == "tars-operator-manager-role" {
			perNamespace[role.Namespace] = role.Rules
		}
	}
	Expect(slices.Sorted(maps.Keys(perNamespace))).To(Equal([]string{"team-a", "team-b"}))
	for _, rules := range perNamespace {
		both := append(permissions(everywhere), permissions(rules)...)
		slices.Sort(both)
		Expect(slices.Compact(both)).To(Equal(permissions(whole)), "together they are what the manager has without watchNamespaces")
	}
	for namespace := range perNamespace {
		Expect(t.roleBindings).To(ContainElement(And(HaveField("Namespace", namespace), HaveField("RoleRef.Name", "tars-operator-manager-role"))))
	}
}

// permissions are sorted, as "verb resource.group".
func permissions(rules []rbacv1.PolicyRule) []string {
	var out []string
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					out = append(out, fmt.Sprintf("%s %s.%s", verb, resource, group))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// expectCommonLabels is the effect of commonLabels: a label, and one of ours
// that the user may not have.
func expectCommonLabels(t typed) {
	GinkgoHelper()
	for _, object := range t.all {
		Expect(object.GetLabels()).To(And(
			HaveKeyWithValue("cost-centre", "42"), HaveKeyWithValue("app.kubernetes.io/name", "tars-operator")), object.GetName())
	}
	Expect(t.deployment().Spec.Template.Labels).To(HaveKeyWithValue("cost-centre", "42"))
	Expect(t.deployment().Spec.Selector.MatchLabels).NotTo(HaveKey("cost-centre"))
	for _, service := range t.services {
		Expect(service.Spec.Selector).NotTo(HaveKey("cost-centre"))
	}
	t.expectConnected()
}

// expectCommonAnnotations is the effect of commonAnnotations.
func expectCommonAnnotations(t typed) {
	GinkgoHelper()
	for _, object := range t.all {
		Expect(object.GetAnnotations()).To(HaveKeyWithValue("example.com/owner", "platform"), object.GetName())
	}
	Expect(t.deployment().Spec.Template.Annotations).To(HaveKeyWithValue("example.com/owner", "platform"))
	Expect(t.crds[0].Annotations).To(HaveKeyWithValue("helm.sh/resource-policy", "keep"))
}

var _ = Describe("A platform's values together", func() {
	It("label and annotate what is off by default too", func() {
		v := values{
			"commonLabels": fullValues()["commonLabels"], "commonAnnotations": fullValues()["commonAnnotations"],
			"manager": values{"replicas": 2}, "networkPolicy": values{"enabled": true}, "watchNamespaces": []any{"team-a"},
			"grafana":    values{"dashboard": values{"enabled": true}},
			"prometheus": values{"enabled": true, "podMonitor": values{"enabled": true}, "rules": values{"enabled": true}},
		}
		t := decode(helmTemplate(v))
		Expect(t.budgets).To(HaveLen(1))
		expectCommonLabels(t)
		expectCommonAnnotations(t)
		for _, selector := range []map[string]string{
			t.budgets[0].Spec.Selector.MatchLabels, t.networkPolicies[0].Spec.PodSelector.MatchLabels,
			t.monitors[0].Spec.Selector.MatchLabels, t.podMonitors[0].Spec.Selector.MatchLabels,
		} {
			Expect(selector).NotTo(HaveKey("cost-centre"))
		}
	})

	It("give one manager no budget: its node could not be drained", func() {
		Expect(decode(helmTemplate(nil)).budgets).To(BeEmpty())
	})

	It("refuse several managers without a leader", func() {
		_, err := installation{values: values{"leaderElection": values{"enabled": false}, "manager": values{"replicas": 2}}}.template()
		Expect(err).To(MatchError(ContainSubstring("leaderElection.enabled is false and manager.replicas is more than 1")))
	})
})
