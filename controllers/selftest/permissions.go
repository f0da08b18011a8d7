// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/config/rbac"
	"github.com/tars-operator/tars-operator/controllers"
	"github.com/tars-operator/tars-operator/controllers/manager"
)

// everywhere is how the API server's reviews spell all namespaces.
const everywhere = ""

// checkPermissions asks the API server about every right that the manager has to
// have. It answers about who asks: the manager's ServiceAccount.
func checkPermissions(ctx context.Context, api client.Client, o options) (string, error) {
	wanted, err := permissions(o)
	if err != nil {
		return "", err
	}
	var denied []string
	for _, attributes := range wanted {
		review := &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes},
		}
		if err := api.Create(ctx, review); err != nil {
			return "", fmt.Errorf("asking whether the manager may %s: %w", describe(attributes), err)
		}
		if !review.Status.Allowed {
			denied = append(denied, describe(attributes))
		}
	}
	if len(denied) > 0 {
		return "", fmt.Errorf("the manager may not %s: give its ServiceAccount the roles of this chart's version", strings.Join(denied, "; "))
	}
	return fmt.Sprintf("all %d that the manager needs", len(wanted)), nil
}

// permissions are what the manager needs, each alone.
func permissions(o options) ([]authorizationv1.ResourceAttributes, error) {
	role := &rbacv1.ClusterRole{}
	if err := yaml.Unmarshal(rbac.ManagerRole, role); err != nil {
		return nil, fmt.Errorf("reading this program's role: %w", err)
	}
	if len(o.namespaces) == 0 {
		return append(single(role.Rules, everywhere), ofLease(o)...), nil
	}
	reading, rest := controllers.SplitRules(role.Rules)
	wanted := single(reading, everywhere)
	for _, namespace := range o.namespaces {
		wanted = append(wanted, single(rest, namespace)...)
	}
	return append(wanted, ofLease(o)...), nil
}

// ofLease is what leader election needs.
func ofLease(o options) []authorizationv1.ResourceAttributes {
	if o.lease == "" {
		return nil
	}
	wanted := single([]rbacv1.PolicyRule{{
		APIGroups: []string{coordinationv1.GroupName}, Resources: []string{"leases"}, Verbs: []string{"create", "get", "update"},
	}}, o.lease)
	for i := range wanted {
		if wanted[i].Verb != "create" {
			wanted[i].Name = manager.LeaderElectionID // the role names it
		}
	}
	return wanted
}

func single(rules []rbacv1.PolicyRule, namespace string) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, name := range rule.Resources {
				resource, subresource, _ := strings.Cut(name, "/")
				for _, verb := range rule.Verbs {
					all = append(all, authorizationv1.ResourceAttributes{
						Namespace: namespace, Group: group, Resource: resource, Subresource: subresource, Verb: verb,
					})
				}
			}
		}
	}
	return all
}

func describe(a authorizationv1.ResourceAttributes) string {
	text := a.Verb + " " + a.Resource
	if a.Subresource != "" {
		text += "/" + a.Subresource
	}
	if a.Group != "" {
		text += "." + a.Group
	}
	if a.Name != "" {
		text += " " + a.Name
	}
	if a.Namespace != everywhere {
		return text + " in namespace " + a.Namespace
	}
	return text + " in all namespaces"
}
