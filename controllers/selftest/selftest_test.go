// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"bytes"
	"errors"
	"flag"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/config/crd"
	"github.com/tars-operator/tars-operator/controllers/cli"
)

// test/chart runs the command against a real API server.
var _ = Describe("selftest", func() {
	It("finds what an older CRD lacks, however deep", func() {
		ours := &apiextensionsv1.CustomResourceDefinition{}
		Expect(yaml.Unmarshal(crd.TarsBackends, ours)).To(Succeed())
		older := ours.DeepCopy()
		spec := older.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		delete(spec.Properties, "models")
		items := spec.Properties["parentRefs"].Items.Schema
		delete(items.Properties, "sectionName")
		wanted, served := schemaOf(ours)
		Expect(served).To(BeTrue())
		known, _ := schemaOf(older)
		Expect(lacking("", wanted, known)).To(Equal([]string{"spec.models", "spec.parentRefs[].sectionName"}))
		Expect(lacking("", known, wanted)).To(BeEmpty(), "a newer CRD is well")
	})

	It("needs rights in the namespaces looked after, and to read the platform's", func() {
		all, err := permissions(options{lease: "tars-system"})
		Expect(err).NotTo(HaveOccurred())
		Expect(all).To(ContainElements(
			authorizationv1.ResourceAttributes{Verb: "get", Resource: "secrets"},
			authorizationv1.ResourceAttributes{Verb: "patch", Group: "gateway.tars.dev", Resource: "tarsbackends", Subresource: "status"},
			authorizationv1.ResourceAttributes{Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Namespace: "tars-system", Name: "tars-operator.gateway.tars.dev"},
		))
		some, err := permissions(options{namespaces: []string{"team-a", "team-b"}})
		Expect(err).NotTo(HaveOccurred())
		Expect(some).To(ContainElements(
			authorizationv1.ResourceAttributes{Verb: "get", Resource: "secrets", Namespace: "team-a"},
			authorizationv1.ResourceAttributes{Verb: "get", Resource: "secrets", Namespace: "team-b"},
			authorizationv1.ResourceAttributes{Verb: "watch", Resource: "services"},
		))
		Expect(some).NotTo(ContainElement(authorizationv1.ResourceAttributes{Verb: "get", Resource: "secrets"}))
		Expect(some).NotTo(ContainElement(HaveField("Resource", "leases")))
	})

	DescribeTable("is called wrongly", func(args ...string) {
		err := Run(GinkgoT().Context(), args, Process{Stdout: GinkgoWriter, Stderr: GinkgoWriter})
		Expect(errors.Is(err, cli.ErrUsage)).To(BeTrue(), "%v", err)
	},
		Entry("with an argument", "now"),
		Entry("without time", "--timeout=0s"),
		Entry("with a flag that there is not", "--nonsense"),
	)

	It("says how it is called", func() {
		var out bytes.Buffer
		err := Run(GinkgoT().Context(), []string{"--help"}, Process{Stdout: GinkgoWriter, Stderr: &out})
		Expect(err).To(MatchError(flag.ErrHelp))
		Expect(out.String()).To(And(ContainSubstring("-leader-election-namespace"), ContainSubstring("-kubeconfig")))
	})
})
