// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The operator hands parentRefs, hostnames and the path on to an HTTPRoute.
// What a TarsBackend takes, the HTTPRoute of either channel of Gateway API has
// to take too: a user would otherwise learn of it only from a failed write.
var _ = Describe("What a TarsBackend accepts", Serial, func() {
	for _, channel := range []string{"standard", "experimental"} {
		Context("is accepted by the "+channel+" HTTPRoute:", Ordered, func() {
			BeforeAll(func() {
				options := envtest.CRDInstallOptions{
					Paths:              []string{filepath.Join(gatewayAPI(), "config", "crd", channel, "gateway.networking.k8s.io_httproutes.yaml")},
					ErrorIfPathMissing: true,
				}
				_, err := envtest.InstallCRDs(restConfig, options)
				Expect(err).NotTo(HaveOccurred())
				DeferCleanup(func(ctx SpecContext) {
					Expect(envtest.UninstallCRDs(restConfig, options)).To(Succeed())
					key := client.ObjectKey{Name: "httproutes.gateway.networking.k8s.io"}
					Eventually(func() bool {
						return apierrors.IsNotFound(api.Get(ctx, key, &apiextensionsv1.CustomResourceDefinition{}))
					}).WithContext(ctx).WithTimeout(startTimeout).Should(BeTrue(), "the other channel needs the name")
				})
			})

			DescribeTable("with", func(ctx SpecContext, spec string) {
				u := tarsBackend("example", spec)
				Expect(admit(ctx, u)).To(Succeed())
				Expect(admit(ctx, httpRoute(u))).To(Succeed())
			},
				Entry("one Gateway", ""),
				Entry("8 Gateways", `parentRefs: `+listOf(8, `{name: g%d}`)),
				Entry("Gateways of one name in three namespaces", `parentRefs: [{name: g}, {name: g, namespace: a}, {name: g, namespace: b}]`),
				Entry("two listeners of a Gateway", `parentRefs: [{name: g, sectionName: a}, {name: g, sectionName: b}]`),
				Entry("two listeners with ports", `parentRefs: [{name: g, sectionName: a, port: 80}, {name: g, sectionName: b, port: 80}]`),
				Entry("a port alone", `parentRefs: [{name: g, port: 80}]`),
				Entry("16 hostnames", `hostnames: `+listOf(16, `"*.h%d.example.com"`)),
				Entry("no hostnames", `hostnames: []`),
				Entry("a path with every character it may hold", `pathPrefix: "/AZaz09._~!$&()*+,;=:@-"`),
				Entry("dots in a path", `pathPrefix: /.well/a..b/...`),
				Entry("the longest path", `pathPrefix: /`+text(255)),
			)
		})
	}
})

// gatewayAPI is the folder of the Gateway API module that go.mod names.
func gatewayAPI() string {
	GinkgoHelper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	Expect(err).NotTo(HaveOccurred())
	return strings.TrimSpace(string(out))
}

// httpRoute takes over what the operator would.
func httpRoute(from *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	field := func(name string) any {
		value, _, err := unstructured.NestedFieldCopy(from.Object, "spec", name)
		Expect(err).NotTo(HaveOccurred())
		return value
	}
	prefix, ok := field("pathPrefix").(string)
	Expect(ok).To(BeTrue())
	spec := map[string]any{
		"parentRefs": field("parentRefs"),
		"rules": []any{map[string]any{"matches": []any{map[string]any{"path": map[string]any{
			"type": "PathPrefix", "value": strings.TrimSuffix(prefix, "/") + "/v1",
		}}}}},
	}
	if hostnames := field("hostnames"); hostnames != nil {
		spec["hostnames"] = hostnames
	}
	route := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	route.SetAPIVersion(gatewayv1.GroupName + "/v1")
	route.SetKind("HTTPRoute")
	route.SetNamespace(from.GetNamespace())
	route.SetName(from.GetName())
	return route
}
