// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
)

// permissions are what the managers of this suite made use of, as
// "<verb> <resource>.<group>".
type permissions struct {
	mu   sync.Mutex
	used map[string]bool
}

// note takes a request that the API server let through. An apply that created
// something used two permissions.
func (p *permissions) note(r *http.Request, code int) {
	resource, named := resourceOf(r.URL.Path)
	var verbs []string
	switch r.Method {
	case http.MethodGet:
		switch {
		case r.URL.Query().Get("watch") == "true":
			// Where a watch can bring the first state too, client-go does not
			// list; where the API server is older, it does.
			verbs = []string{"watch", "list"}
		case named:
			verbs = []string{"get"}
		default:
			verbs = []string{"list"}
		}
	case http.MethodPost:
		verbs = []string{"create"}
	case http.MethodPatch:
		verbs = []string{"patch"}
		if code == http.StatusCreated {
			verbs = append(verbs, "create")
		}
	case http.MethodDelete:
		verbs = []string{"delete"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used == nil {
		p.used = map[string]bool{}
	}
	for _, v := range verbs {
		p.used[v+" "+resource] = true
	}
}

// resourceOf reads "<resource>[/<subresource>].<group>" from a path, and
// whether the path names one object.
func resourceOf(path string) (string, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	group := ""
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[3:]
	default:
		return path, false
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	resource := parts[0]
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	return resource + "." + group, len(parts) > 1
}

// unrequested are permissions that no request of ours shows.
var unrequested = map[string]string{
	"update tarsbackends/finalizers.gateway.tars.dev": "asked for by the admission plugin OwnerReferencesPermissionEnforcement, which is not on here",
	"patch events.events.k8s.io":                      "used when the same event comes again within minutes",
}

// Only the whole suite uses every permission, so a selection says nothing.
var _ = AfterSuite(func() {
	suite, _ := GinkgoConfiguration()
	if len(suite.FocusStrings)+len(suite.SkipStrings)+len(suite.FocusFiles)+len(suite.SkipFiles) > 0 || suite.LabelFilter != "" {
		return
	}
	role := &rbacv1.ClusterRole{}
	readYAML(filepath.Join("..", "config", "rbac", "role.yaml"), role)
	granted.mu.Lock() // an event of the last manager may still be on its way
	defer granted.mu.Unlock()
	var idle []string
	for _, rule := range role.Rules {
		Expect(rule.ResourceNames).To(BeEmpty())
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					permission := verb + " " + resource + "." + group
					if _, known := unrequested[permission]; !known && !granted.used[permission] {
						idle = append(idle, permission)
					}
				}
			}
		}
	}
	Expect(idle).To(BeEmpty(), "permissions that the manager has and does not use")
})

var _ = It("The role names every resource and verb", func() {
	role := &rbacv1.ClusterRole{}
	readYAML(filepath.Join("..", "config", "rbac", "role.yaml"), role)
	for _, rule := range role.Rules {
		all := append(append(append([]string{}, rule.APIGroups...), rule.Resources...), rule.Verbs...)
		Expect(all).NotTo(ContainElement("*"))
		Expect(rule.Verbs).NotTo(ContainElement(BeElementOf("escalate", "bind", "impersonate")))
	}
})
