// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/chartutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// effects tells for each value what setting it to that of full-values.yaml,
// alone, does.
func effects() map[string]func(typed) {
	return map[string]func(typed){
		"fullnameOverride": func(t typed) {
			Expect(t.deployment().Name).To(Equal("tars-controller-manager"))
			for _, object := range t.all {
				if object.GetName() != "tarsbackends.gateway.tars.dev" {
					Expect(object.GetName()).To(HavePrefix("tars-"))
					Expect(object.GetName()).NotTo(HavePrefix("tars-operator"))
				}
			}
			t.expectConnected()
		},
		"manager.replicas": func(t typed) { Expect(t.deployment().Spec.Replicas).To(HaveValue(BeNumerically("==", 2))) },
		"manager.image.registry": func(t typed) {
			Expect(t.manager().Image).To(HavePrefix("registry.example.com:5000/tars-operator/tars-operator:"))
		},
		"manager.image.repository": func(t typed) { Expect(t.manager().Image).To(HavePrefix("ghcr.io/team/tars-operator:")) },
		"manager.image.tag":        func(t typed) { Expect(t.manager().Image).To(HaveSuffix("/tars-operator:dev")) },
		"manager.image.digest":     func(t typed) { Expect(t.manager().Image).To(HaveSuffix("/tars-operator@" + digestA)) },
		"manager.image.pullPolicy": func(t typed) {
			Expect(t.manager().ImagePullPolicy).To(Equal(corev1.PullAlways))
			Expect(argument(t.manager().Args, "extproc-image-pull-policy")).To(Equal("Always"))
		},
		"manager.imagePullSecrets": func(t typed) {
			Expect(t.pod().ImagePullSecrets).To(Equal([]corev1.LocalObjectReference{{Name: "registry-key"}}))
		},
		"manager.args": func(t typed) {
			Expect(t.manager().Args).To(Equal(append(decode(helmTemplate(nil)).manager().Args, "--zap-log-level=debug")))
		},
		"manager.env":                       func(t typed) { expectFull("manager.env", t.manager().Env) },
		"manager.resources":                 func(t typed) { expectFull("manager.resources", t.manager().Resources) },
		"manager.nodeSelector":              func(t typed) { expectFull("manager.nodeSelector", t.pod().NodeSelector) },
		"manager.tolerations":               func(t typed) { expectFull("manager.tolerations", t.pod().Tolerations) },
		"manager.affinity":                  func(t typed) { expectFull("manager.affinity", t.pod().Affinity) },
		"manager.topologySpreadConstraints": func(t typed) { expectFull("manager.topologySpreadConstraints", t.pod().TopologySpreadConstraints) },
		"manager.priorityClassName":         func(t typed) { Expect(t.pod().PriorityClassName).To(Equal("system-cluster-critical")) },
		"manager.pod.labels": func(t typed) {
			labels := t.deployment().Spec.Template.Labels
			Expect(labels).To(HaveKeyWithValue("team", "platform"))
			Expect(labels).To(HaveKeyWithValue("control-plane", "controller-manager"), "the selector's labels are not the user's")
			t.expectConnected()
		},
		"manager.pod.annotations": func(t typed) {
			annotations := t.deployment().Spec.Template.Annotations
			Expect(annotations).To(HaveKeyWithValue("note", "1"))
			Expect(annotations).To(HaveKeyWithValue("kubectl.kubernetes.io/default-container", "manager"))
		},
		"extProc.image.registry": func(t typed) {
			Expect(argument(t.manager().Args, "extproc-image")).To(HavePrefix("mirror.example.com/tars-operator/tars-operator:"))
			Expect(t.manager().Image).To(HavePrefix("ghcr.io/"))
		},
		"extProc.image.repository": func(t typed) {
			Expect(argument(t.manager().Args, "extproc-image")).To(HavePrefix("ghcr.io/team/tars-extproc:"))
		},
		"extProc.image.tag": func(t typed) {
			Expect(argument(t.manager().Args, "extproc-image")).To(HaveSuffix("/tars-operator:canary"))
		},
		"extProc.image.digest": func(t typed) {
			Expect(argument(t.manager().Args, "extproc-image")).To(HaveSuffix("/tars-operator@" + digestB))
		},
		"extProc.image.pullPolicy": func(t typed) {
			Expect(argument(t.manager().Args, "extproc-image-pull-policy")).To(Equal("Never"))
			Expect(t.manager().ImagePullPolicy).To(Equal(corev1.PullIfNotPresent))
		},
		"extProc.imagePullSecrets": func(t typed) {
			Expect(argument(t.manager().Args, "extproc-image-pull-secrets")).To(Equal("registry-key,mirror-key"))
			Expect(t.pod().ImagePullSecrets).To(BeEmpty(), "the manager's are others")
		},
		"watchNamespaces":   expectRolesPerNamespace,
		"commonLabels":      expectCommonLabels,
		"commonAnnotations": expectCommonAnnotations,
		"log.level":         func(t typed) { Expect(argument(t.manager().Args, "zap-log-level")).To(Equal("debug")) },
		"log.format":        func(t typed) { Expect(argument(t.manager().Args, "zap-encoder")).To(Equal("console")) },
		"leaderElection.enabled": func(t typed) {
			Expect(t.manager().Args).NotTo(ContainElement("--leader-elect"))
			Expect(t.roles).To(BeEmpty())
			Expect(t.roleBindings).To(BeEmpty())
		},
		"endpoints.allowed": func(t typed) {
			Expect(argument(t.manager().Args, "allowed-endpoints")).To(Equal("api.router.tetrate.ai,*.example.com"))
		},
		"gatewayControllerNames": func(t typed) {
			Expect(argument(t.manager().Args, "gateway-controller-names")).
				To(Equal("gateway.envoyproxy.io/gatewayclass-controller,gateway.example.com/other"))
		},
		"serviceAccount.name": func(t typed) {
			Expect(names(t.serviceAccounts)).To(Equal([]string{"existing"}))
			t.expectConnected()
		},
		"serviceAccount.annotations": func(t typed) {
			Expect(t.serviceAccounts[0].Annotations).To(Equal(map[string]string{"example.com/role": "tars"}))
		},
		"rbac.helpers.enabled": func(t typed) {
			Expect(names(t.clusterRoles)).To(ConsistOf("tars-operator-manager-role", "tars-operator-metrics-auth-role", "tars-operator-metrics-reader"))
			t.expectConnected()
		},
		"crd.enabled": func(t typed) { Expect(t.crds).To(BeEmpty()) },
		"crd.keep": func(t typed) {
			Expect(t.crds).To(HaveLen(1))
			Expect(t.crds[0].Annotations).NotTo(HaveKey("helm.sh/resource-policy"))
			Expect(t.crds[0].Annotations).To(HaveKey("controller-gen.kubebuilder.io/version"))
		},
		"metrics.enabled":           expectNoMetrics,
		"metrics.port":              expectMetricsPort,
		"metrics.secure":            expectPlainMetrics,
		"prometheus.enabled":        func(t typed) { Expect(t.monitors).To(HaveLen(1)); t.expectConnected() },
		"grafana.dashboard.enabled": func(t typed) { Expect(t.dashboards).To(HaveLen(1)); t.expectConnected() },
		"prometheus.podMonitor.enabled": func(t typed) {
			Expect(t.podMonitors).To(HaveLen(1))
			Expect(t.monitors).To(BeEmpty())
			t.expectConnected()
		},
		"prometheus.rules.enabled": func(t typed) {
			Expect(t.rules).To(HaveLen(1))
			Expect(t.monitors).To(BeEmpty())
			t.expectConnected()
		},
		"networkPolicy.enabled": func(t typed) { Expect(t.networkPolicies).To(HaveLen(1)); t.expectConnected() },
	}
}

func expectNoMetrics(t typed) {
	GinkgoHelper()
	Expect(t.manager().Args).NotTo(ContainElement(HavePrefix("--metrics")))
	Expect(t.manager().Ports).To(HaveExactElements(HaveField("Name", "health")))
	Expect(t.services).To(BeEmpty())
	Expect(names(t.clusterRoles)).NotTo(ContainElement(ContainSubstring("metrics")))
	Expect(names(t.clusterBindings)).To(Equal([]string{"tars-operator-manager-rolebinding"}))
	t.expectConnected()
}

func expectMetricsPort(t typed) {
	GinkgoHelper()
	Expect(argument(t.manager().Args, "metrics-bind-address")).To(Equal(":9443"))
	Expect(t.services[0].Spec.Ports[0].Port).To(BeNumerically("==", 9443))
	t.expectConnected()
}

func expectPlainMetrics(t typed) {
	GinkgoHelper()
	Expect(argument(t.manager().Args, "metrics-secure")).To(Equal("false"))
	Expect(argument(t.manager().Args, "metrics-bind-address")).To(Equal(":8443"))
	Expect(t.services[0].Spec.Ports[0].Name).To(Equal("http"))
	Expect(names(t.clusterRoles)).NotTo(ContainElement(ContainSubstring("metrics")))
	Expect(names(t.clusterBindings)).To(Equal([]string{"tars-operator-manager-rolebinding"}))
	t.expectConnected()
}

// expectFull compares a part of the pod with the value it came from.
func expectFull(path string, part any) {
	GinkgoHelper()
	want, ok := at(fullValues(), path)
	Expect(ok).To(BeTrue())
	wantText, err := yaml.Marshal(want)
	Expect(err).NotTo(HaveOccurred())
	text, err := yaml.Marshal(part)
	Expect(err).NotTo(HaveOccurred())
	// Quantities are printed as strings.
	Expect(text).To(MatchYAML(string(quantities.ReplaceAll(wantText, []byte("cpu: \"1\"")))))
}

var _ = Describe("Each value", func() {
	It("is in the table of effects and in full-values.yaml, with another value than the default", func() {
		leaves := slices.Sorted(maps.Keys(readSchema().leaves()))
		tested := append(slices.Concat(slices.Collect(maps.Keys(effects())), slices.Collect(maps.Keys(monitoringEffects())), slices.Collect(maps.Keys(severalEffects()))), "serviceAccount.enabled")
		Expect(leaves).To(ConsistOf(tested))
		for _, path := range leaves {
			value, ok := at(fullValues(), path)
			Expect(ok).To(BeTrue(), path)
			standard, _ := at(defaultValues(), path)
			Expect(value).NotTo(Equal(standard), path)
		}
	})

	for _, path := range slices.Sorted(maps.Keys(effects())) {
		It("has its effect: "+path, func() {
			value, _ := at(fullValues(), path)
			effects()[path](decode(helmTemplate(only(path, value))))
		})
	}

	for _, path := range slices.Sorted(maps.Keys(monitoringEffects())) {
		It("has its effect: "+path, func() {
			value, _ := at(fullValues(), path)
			monitoringEffects()[path](decode(helmTemplate(chartutil.CoalesceTables(only(path, value), monitored()))))
		})
	}

	for _, path := range slices.Sorted(maps.Keys(severalEffects())) {
		It("has its effect: "+path, func() {
			value, _ := at(fullValues(), path)
			severalEffects()[path](decode(helmTemplate(chartutil.CoalesceTables(only(path, value), only("manager.replicas", 2)))))
		})
	}

	It("has its effect: serviceAccount.enabled", func() {
		rendered := decode(helmTemplate(values{"serviceAccount": values{"enabled": false, "name": "existing"}}))
		Expect(rendered.serviceAccounts).To(BeEmpty())
		Expect(rendered.pod().ServiceAccountName).To(Equal("existing"))
		rendered.expectConnected()
	})
})

var _ = Describe("Values together", func() {
	It("scrape plain metrics by HTTP without a token", func() {
		rendered := decode(helmTemplate(values{"prometheus": values{"enabled": true}, "metrics": values{"secure": false, "port": 9090}}))
		Expect(rendered.monitors[0].Spec.Endpoints).To(HaveLen(1))
		endpoint := rendered.monitors[0].Spec.Endpoints[0]
		Expect(endpoint.Scheme).To(HaveValue(BeEquivalentTo("http")))
		Expect(endpoint.BearerTokenFile).To(BeEmpty()) //nolint:staticcheck // what kubebuilder's scaffold and we use
		Expect(endpoint.TLSConfig).To(BeNil())
		rendered.expectConnected()
	})

	It("scrape secure metrics by HTTPS with Prometheus' token", func() {
		endpoint := decode(helmTemplate(only("prometheus.enabled", true))).monitors[0].Spec.Endpoints[0]
		Expect(endpoint.Scheme).To(HaveValue(BeEquivalentTo("https")))
		Expect(endpoint.BearerTokenFile).To(Equal("/var/run/secrets/kubernetes.io/serviceaccount/token")) //nolint:staticcheck // as above
		Expect(endpoint.Path).To(Equal("/metrics"))
	})

	It("let nobody in where the policy is on and metrics are off", func() {
		policy := decode(helmTemplate(values{"networkPolicy": values{"enabled": true}, "metrics": values{"enabled": false}})).networkPolicies[0]
		Expect(policy.Spec.Ingress).To(BeEmpty())
		Expect(policy.Spec.PolicyTypes).To(HaveExactElements(BeEquivalentTo("Ingress")))
	})

	It("let the metrics' readers in at the port where metrics are", func() {
		policy := decode(helmTemplate(values{"networkPolicy": values{"enabled": true}, "metrics": values{"port": 9443}})).networkPolicies[0]
		Expect(policy.Spec.Ingress).To(HaveLen(1))
		Expect(policy.Spec.Ingress[0].Ports).To(HaveExactElements(HaveField("Port.IntVal", BeNumerically("==", 9443))))
		Expect(policy.Spec.Ingress[0].From).To(HaveLen(1))
	})

	It("allow no endpoint at all where the list is empty", func() {
		args := decode(helmTemplate(only("endpoints.allowed", []any{}))).manager().Args
		Expect(argument(args, "allowed-endpoints")).To(BeEmpty())
	})

	DescribeTable("names follow the release",
		func(release, override, prefix string) {
			out, err := installation{release: release, values: values{"fullnameOverride": override}}.template()
			Expect(err).NotTo(HaveOccurred())
			rendered := decode(out.objects)
			Expect(rendered.deployment().Name).To(Equal(prefix + "-controller-manager"))
			rendered.expectConnected()
		},
		Entry("named as the chart", "tars-operator", "", "tars-operator"),
		Entry("named with the chart", "my-tars-operator", "", "my-tars-operator"),
		Entry("of another name", "blue", "", "blue-tars-operator"),
		Entry("too long", "a-release-with-a-very-long-name-indeed", "", "a-release-with-a-very-long-n"),
		Entry("cut after a dash", "a-release-with-a-very-long-1-name", "", "a-release-with-a-very-long-1"),
		Entry("cut at a dash", "a-release-with-a-very-longe-name", "", "a-release-with-a-very-longe"),
		Entry("overridden", "blue", "tars", "tars"),
	)

	It("two releases share no object but the CRD, and no pod", func() {
		var (
			seen []string
			pods labels.Set
		)
		for _, release := range []string{"blue", "green"} {
			out, err := installation{release: release, values: only("crd.enabled", false)}.template()
			Expect(err).NotTo(HaveOccurred())
			deployment := decode(out.objects).deployment()
			selector := labels.SelectorFromSet(deployment.Spec.Selector.MatchLabels)
			Expect(pods == nil || !selector.Matches(pods)).To(BeTrue())
			pods = deployment.Spec.Template.Labels
			for _, object := range out.objects {
				Expect(seen).NotTo(ContainElement(key(object)))
				seen = append(seen, key(object))
			}
		}
	})
})
