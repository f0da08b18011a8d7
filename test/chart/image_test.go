// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"os"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

const (
	digestA = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	digestB = "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
)

// quantities in full-values.yaml that are numbers.
var quantities = regexp.MustCompile(`(?m)cpu: 1$`)

var _ = Describe("Images", func() {
	// V stands for the chart's appVersion.
	DescribeTable("are named by their values",
		func(manager, extProc, wantManager, wantExtProc string) {
			v := values{"manager": values{"image": parseValues(manager)}, "extProc": values{"image": parseValues(extProc)}}
			container := decode(helmTemplate(v)).manager()
			version := chartMetadata().AppVersion
			Expect(container.Image).To(Equal(strings.ReplaceAll(wantManager, "V", version)))
			Expect(argument(container.Args, "extproc-image")).To(Equal(strings.ReplaceAll(wantExtProc, "V", version)))
		},
		Entry("nothing set", "{}", "{}",
			"ghcr.io/tars-operator/tars-operator:V", "ghcr.io/tars-operator/tars-operator:V"),
		Entry("a mirror", "{registry: mirror.example.com:5000/proxy}", "{}",
			"mirror.example.com:5000/proxy/tars-operator/tars-operator:V", "mirror.example.com:5000/proxy/tars-operator/tars-operator:V"),
		Entry("no registry", `{registry: "", repository: tars}`, "{}", "tars:V", "tars:V"),
		Entry("no registry, and a host in the repository", `{registry: "", repository: "localhost:5000/tars"}`, "{}",
			"localhost:5000/tars:V", "localhost:5000/tars:V"),
		Entry("a tag", "{tag: dev}", "{}",
			"ghcr.io/tars-operator/tars-operator:dev", "ghcr.io/tars-operator/tars-operator:dev"),
		Entry("a digest", "{digest: "+digestA+"}", "{}",
			"ghcr.io/tars-operator/tars-operator@"+digestA, "ghcr.io/tars-operator/tars-operator@"+digestA),
		Entry("a tag and a digest", "{tag: dev, digest: "+digestA+"}", "{}",
			"ghcr.io/tars-operator/tars-operator:dev@"+digestA, "ghcr.io/tars-operator/tars-operator:dev@"+digestA),
		Entry("another registry for the external processor", "{tag: dev, digest: "+digestA+"}", "{registry: mirror.example.com}",
			"ghcr.io/tars-operator/tars-operator:dev@"+digestA, "mirror.example.com/tars-operator/tars-operator:dev@"+digestA),
		Entry("another repository for the external processor", "{registry: mirror.example.com}", "{repository: team/extproc}",
			"mirror.example.com/tars-operator/tars-operator:V", "mirror.example.com/team/extproc:V"),
		Entry("a tag for the external processor drops the manager's digest", "{tag: dev, digest: "+digestA+"}", "{tag: next}",
			"ghcr.io/tars-operator/tars-operator:dev@"+digestA, "ghcr.io/tars-operator/tars-operator:next"),
		Entry("a digest for the external processor drops the manager's tag", "{tag: dev}", "{digest: "+digestB+"}",
			"ghcr.io/tars-operator/tars-operator:dev", "ghcr.io/tars-operator/tars-operator@"+digestB),
		Entry("all of the external processor's", "{tag: dev}", "{registry: a.example.com, repository: b/c, tag: d, digest: "+digestB+"}",
			"ghcr.io/tars-operator/tars-operator:dev", "a.example.com/b/c:d@"+digestB),
	)

	It("of kustomize are set in one place", func() {
		container := decode(kustomizeBuild("default",
			edit{file: "manager/kustomization.yaml", old: "newTag: 0.1.0", new: "digest: " + digestA})).manager()
		Expect(container.Image).To(Equal("ghcr.io/tars-operator/tars-operator@" + digestA))
		Expect(argument(container.Args, "extproc-image")).To(Equal(container.Image))
	})
})

var _ = Describe("The Dockerfile", func() {
	It("holds nothing but the binary, for any architecture, and runs it as nobody", func() {
		Expect(dockerfile("FROM")).To(Equal([]string{"scratch"}), "one stage, no base image")
		Expect(dockerfile("COPY")).To(Equal([]string{"dist/image/linux_${TARGETARCH}/tars-operator /tars-operator"}))
		Expect(dockerfile("ARG")).To(ConsistOf("TARGETARCH", "VERSION"))
		Expect(dockerfile("ENTRYPOINT")).To(Equal([]string{`["/tars-operator"]`}))
		for _, instruction := range []string{"RUN", "ADD", "CMD", "ENV", "VOLUME", "EXPOSE"} {
			Expect(dockerfile(instruction)).To(BeEmpty(), instruction)
		}
	})

	It("runs as the user that the pod runs as", func() {
		user := decode(helmTemplate(nil)).manager().SecurityContext
		Expect(user.RunAsUser).To(HaveValue(BeNumerically("==", 65532)))
		Expect(user.RunAsGroup).To(HaveValue(BeNumerically("==", 65532)))
		Expect(dockerfile("USER")).To(Equal([]string{"65532:65532"}))
	})

	It("labels the image with what Open Container images are asked for", func() {
		for _, label := range []string{"title", "description", "source", "licenses", "version"} {
			Expect(dockerfile("LABEL")).To(ContainElement(ContainSubstring("org.opencontainers.image." + label + "=")))
		}
		Expect(dockerfile("LABEL")).To(ContainElement(ContainSubstring(`version="${VERSION}"`)))
	})

	It("is sent only binaries", func() {
		text, err := os.ReadFile(rootDir + "/.dockerignore")
		Expect(err).NotTo(HaveOccurred())
		rules := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(text)), "\n"), func(line string) bool { return strings.HasPrefix(line, "#") })
		Expect(rules).To(Equal([]string{"*", "!dist/image/"}))
	})
})

// dockerfile returns the arguments of an instruction, each time it stands there.
func dockerfile(instruction string) []string {
	GinkgoHelper()
	text, err := os.ReadFile(rootDir + "/Dockerfile")
	Expect(err).NotTo(HaveOccurred())
	joined := strings.ReplaceAll(string(text), "\\\n", "")
	var out []string
	for line := range strings.Lines(joined) {
		name, arguments, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == instruction {
			out = append(out, arguments)
		}
	}
	return out
}

func parseValues(text string) values {
	GinkgoHelper()
	out := values{}
	Expect(yaml.UnmarshalStrict([]byte(text), &out)).To(Succeed())
	return out
}
