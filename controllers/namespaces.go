// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// readEverywhere are the resources that the manager reads in the whole cluster
// even where it looks after some namespaces only. Namespaces, GatewayClasses and
// CRDs are in no namespace. Gateways, their EnvoyProxies and the Envoys'
// EndpointSlices are in those of the platform, which a TarsBackend may name.
// The chart's template manager-role has the same list.
func readEverywhere() []schema.GroupResource {
	return []schema.GroupResource{
		{Resource: "namespaces"},
		{Group: apiextensionsv1.GroupName, Resource: "customresourcedefinitions"},
		{Group: discoveryv1.GroupName, Resource: "endpointslices"},
		{Group: kindBackend.Group, Resource: "envoyproxies"},
		{Group: gatewayAPI.Group, Resource: "gatewayclasses"},
		{Group: gatewayAPI.Group, Resource: "gateways"},
	}
}

// SplitRules divides the manager's rules into those that it needs in the whole
// cluster and those that it needs in each namespace that it looks after.
func SplitRules(rules []rbacv1.PolicyRule) (everywhere, perNamespace []rbacv1.PolicyRule) {
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				one := rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: rule.Verbs}
				if slices.Contains(readEverywhere(), schema.GroupResource{Group: group, Resource: resource}) {
					everywhere = append(everywhere, one)
				} else {
					perNamespace = append(perNamespace, one)
				}
			}
		}
	}
	// Ours are made where their TarsBackend is; those of Envoys are anywhere.
	return append(everywhere, rbacv1.PolicyRule{
		APIGroups: []string{corev1.GroupName}, Resources: []string{"services"}, Verbs: []string{"list", "watch"},
	}), perNamespace
}

// onlyIn limits a cache to namespaces; none: all of them.
func onlyIn(namespaces []string) map[string]cache.Config {
	if len(namespaces) == 0 {
		return nil
	}
	limited := map[string]cache.Config{}
	for _, name := range namespaces {
		limited[name] = cache.Config{}
	}
	return limited
}
