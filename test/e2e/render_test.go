// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

// managerFlags are those of the running manager that render takes too.
func managerFlags() []string {
	GinkgoHelper()
	var args []string
	Expect(json.Unmarshal([]byte(kubectl("get", "deployment", "-n", shared.OperatorNamespace, "-l", "app.kubernetes.io/name=tars-operator",
		"-o", "jsonpath={.items[0].spec.template.spec.containers[0].args}")), &args)).To(Succeed())
	var flags []string
	for _, arg := range args {
		if regexp.MustCompile(`^--(extproc-image|extproc-image-pull-policy|allowed-endpoints|gateway-controller-names)=`).MatchString(arg) {
			flags = append(flags, arg)
		}
	}
	Expect(flags).NotTo(BeEmpty(), "the manager's arguments: %q", args)
	return flags
}

// expectAsRendered compares a TarsBackend's children with what a program's
// render prints of it, but for the key, and returns that.
func expectAsRendered(program string, b backend) string {
	GinkgoHelper()
	live := kubectl("get", "-n", b.namespace, "tarsbackend/"+b.name, "envoyextensionpolicy/"+b.name, "-o", "yaml")
	rendered := must(command{name: program, args: append([]string{"render", "-f", "-"}, managerFlags()...), stdin: live})
	var same []string
	documents := strings.SplitAfter(rendered, "\n---\n")
	for _, document := range documents {
		if strings.Contains(document, "\nkind: Secret\n") {
			Expect(document).To(ContainSubstring("# The value is a placeholder"))
			continue
		}
		same = append(same, document)
	}
	Expect(same).To(HaveLen(len(documents)-1), "the derived Secret is one of the documents")

	// kubectl fails where anything differs, who owns which field included.
	must(command{name: "kubectl", args: []string{
		"diff", "--server-side", "--field-manager=tars-operator", "--force-conflicts", "--show-managed-fields", "-f", "-",
	}, stdin: strings.Join(same, "")})
	return rendered
}

var _ = Describe("What render prints of a live TarsBackend", func() {
	It("equals its children in the cluster, but for the key", func() {
		b := backend{name: "rendered", gateway: gatewayName, prefix: "/rendered", extra: "models: {allow: [" + chatModel + "]}"}
		b.namespace = newNamespace("render")
		apply(b.namespace, b.manifests())
		waitReady(b.namespace, b.name)

		rendered := expectAsRendered(lab.Program(), b)
		names := func(args ...string) []string { return strings.Fields(kubectl(args...)) }
		inCluster := names("get", "-n", b.namespace, "-l", "app.kubernetes.io/managed-by=tars-operator", "-o", "name",
			"secrets,configmaps,serviceaccounts,services,deployments.apps,poddisruptionbudgets,networkpolicies,"+
				"backends.gateway.envoyproxy.io,httproutefilters,envoyextensionpolicies,backendtrafficpolicies,httproutes")
		printed := strings.Fields(must(command{
			name: "kubectl", args: []string{"create", "--dry-run=client", "-o", "name", "-f", "-"}, stdin: rendered,
		}))
		Expect(printed).To(ConsistOf(inCluster))
	})
})
