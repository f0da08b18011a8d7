// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// metadata that says by what an object was made; the rest has to be equal.
var (
	toolLabels = []string{
		"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart",
	}
	toolAnnotations = []string{"helm.sh/resource-policy"}
)

// equalVariants are installations that can be had from both.
var equalVariants = []struct {
	name   string
	values values
	edits  []edit
}{
	{name: "by default"},
	{
		name: "with monitors, alerts, a dashboard and a NetworkPolicy",
		values: values{
			"prometheus": values{
				"enabled": true, "podMonitor": values{"enabled": true}, "rules": values{"enabled": true},
			},
			"grafana":       values{"dashboard": values{"enabled": true}},
			"networkPolicy": values{"enabled": true},
		},
		edits: []edit{
			{file: "default/kustomization.yaml", old: "#- ../grafana", new: "- ../grafana"},
			{file: "default/kustomization.yaml", old: "#- ../prometheus", new: "- ../prometheus"},
			{file: "default/kustomization.yaml", old: "#- ../network-policy", new: "- ../network-policy"},
		},
	},
	{
		name: "with another image",
		values: values{"manager": values{"image": values{
			"registry": "registry.example.com:5000", "repository": "team/tars", "tag": "dev",
		}}},
		edits: []edit{
			{file: "manager/kustomization.yaml", old: "ghcr.io/tars-operator/tars-operator", new: "registry.example.com:5000/team/tars"},
			{file: "manager/kustomization.yaml", old: "newTag: 0.1.0", new: "newTag: dev"},
		},
	},
}

var _ = Describe("The chart and config/default", func() {
	for _, variant := range equalVariants {
		It("render the same objects "+variant.name, func() {
			fromChart := helmTemplate(variant.values).byKey()
			fromConfig := kustomizeBuild("default", variant.edits...).byKey()

			// Helm does not make the namespace that it installs into.
			namespace := "Namespace /" + releaseNamespace
			Expect(fromConfig).To(HaveKey(namespace))
			delete(fromConfig, namespace)

			Expect(slices.Sorted(maps.Keys(fromChart))).To(Equal(slices.Sorted(maps.Keys(fromConfig))))
			for name, object := range fromConfig {
				Expect(cmp.Diff(comparison(object), comparison(fromChart[name]))).To(BeEmpty(), "%s: config/ (-) and chart (+)", name)
			}
		})
	}

	It("render objects that fit together", func() {
		decode(helmTemplate(nil)).expectConnected()
		decode(kustomizeBuild("default")).expectConnected()
	})

	It("label what made an object", func() {
		for _, object := range helmTemplate(nil) {
			Expect(object.GetLabels()).To(And(
				HaveKeyWithValue("app.kubernetes.io/managed-by", "Helm"),
				HaveKeyWithValue("app.kubernetes.io/instance", releaseName),
				HaveKeyWithValue("app.kubernetes.io/version", chartMetadata().AppVersion),
				HaveKeyWithValue("helm.sh/chart", "tars-operator-"+chartMetadata().Version),
				HaveKeyWithValue("app.kubernetes.io/name", "tars-operator"),
			), key(object))
		}
		for _, object := range kustomizeBuild("default") {
			Expect(object.GetLabels()).To(And(
				HaveKeyWithValue("app.kubernetes.io/managed-by", "kustomize"),
				HaveKeyWithValue("app.kubernetes.io/name", "tars-operator"),
			), key(object))
		}
	})

	It("make a namespace that enforces pod security", func() {
		namespaces := decode(kustomizeBuild("default")).namespaces
		Expect(namespaces).To(HaveLen(1))
		Expect(namespaces[0].Labels).To(HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"))
	})

	It("run the image of the chart's version", func() {
		Expect(decode(helmTemplate(nil)).manager().Image).To(Equal("ghcr.io/tars-operator/tars-operator:" + chartMetadata().AppVersion))
	})

	It("have roles without wildcards and without a way to more rights", func() {
		rendered := decode(helmTemplate(nil))
		var rules []rbacv1.PolicyRule
		for _, role := range rendered.clusterRoles {
			rules = append(rules, role.Rules...)
		}
		for _, role := range rendered.roles {
			rules = append(rules, role.Rules...)
		}
		Expect(rules).NotTo(BeEmpty())
		for _, rule := range rules {
			Expect(slices.Concat(rule.Verbs, rule.Resources, rule.APIGroups, rule.NonResourceURLs)).
				NotTo(ContainElements(Or(ContainSubstring("*"), BeElementOf("escalate", "bind", "impersonate"))))
		}
	})

	It("install a CRD that stays when the chart goes", func() {
		crds := decode(helmTemplate(nil)).crds
		Expect(crds).To(HaveLen(1))
		Expect(crds[0].Annotations).To(HaveKeyWithValue("helm.sh/resource-policy", "keep"))
	})
})

var _ = Describe("The manager's pod", func() {
	It("is stopped later than the manager gives up by itself, and is told of no other Service", func() {
		pod := decode(helmTemplate(nil)).pod()
		Expect(pod.TerminationGracePeriodSeconds).To(HaveValue(BeNumerically("==", 10)))
		Expect(pod.EnableServiceLinks).To(HaveValue(BeFalse()))
	})

	It("asks for little, and may not take the node's memory", func() {
		resources := decode(helmTemplate(nil)).manager().Resources
		Expect(resources.Requests.Cpu().String()).To(Equal("10m"))
		Expect(resources.Requests.Memory().String()).To(Equal("64Mi"))
		Expect(resources.Limits.Memory().String()).To(Equal("512Mi"))
		Expect(resources.Limits).NotTo(HaveKey(corev1.ResourceCPU), "a CPU limit only slows reconciling down")
	})

	It("is probed where the manager answers", func() {
		manager := decode(helmTemplate(nil)).manager()
		Expect(manager.Args).To(ContainElement("--health-probe-bind-address=:8081"))
		Expect(manager.Ports).To(ContainElement(And(HaveField("Name", "health"), HaveField("ContainerPort", BeNumerically("==", 8081)))))
		Expect(manager.LivenessProbe.HTTPGet).To(And(HaveField("Path", "/healthz"), HaveField("Port.StrVal", "health")))
		Expect(manager.ReadinessProbe.HTTPGet).To(And(HaveField("Path", "/readyz"), HaveField("Port.StrVal", "health")))
	})

	It("runs the subcommand manager, one of them acting", func() {
		args := decode(helmTemplate(nil)).manager().Args
		Expect(args[0]).To(Equal("manager"))
		Expect(args).To(ContainElement("--leader-elect"))
		for _, argument := range args[1:] {
			Expect(argument).To(HavePrefix("--"))
		}
	})
})

// comparison is an object without what its maker adds.
func comparison(object *unstructured.Unstructured) map[string]any {
	out := object.DeepCopy()
	strip(toolLabels, out.GetLabels, out.SetLabels)
	strip(toolAnnotations, out.GetAnnotations, out.SetAnnotations)
	// Selectors and pods have the release's name too.
	return without(out.Object, "app.kubernetes.io/instance")
}

func strip(keys []string, get func() map[string]string, set func(map[string]string)) {
	kept := get()
	for _, name := range keys {
		delete(kept, name)
	}
	if len(kept) == 0 {
		kept = nil
	}
	set(kept)
}

func without(node map[string]any, unwanted string) map[string]any {
	delete(node, unwanted)
	for _, child := range node {
		switch c := child.(type) {
		case map[string]any:
			without(c, unwanted)
		case []any:
			for _, item := range c {
				if m, ok := item.(map[string]any); ok {
					without(m, unwanted)
				}
			}
		}
	}
	return node
}

// argument returns the value of --name=value.
func argument(args []string, name string) string {
	GinkgoHelper()
	found := ""
	count := 0
	for _, a := range args {
		if value, ok := strings.CutPrefix(a, "--"+name+"="); ok {
			found = value
			count++
		}
	}
	Expect(count).To(Equal(1), "--%s in %q", name, args)
	return found
}
