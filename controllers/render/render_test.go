// SPDX-License-Identifier: Apache-2.0

package render_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/controllers/cli"
	"github.com/tars-operator/tars-operator/controllers/render"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// canaryKey must never be seen.
const canaryKey = "sk-canary-5f2b1c9e7d"

// rendered is what one call printed.
type rendered struct {
	stdout, stderr string
	err            error
}

// run renders the text on standard input.
func run(stdin string, args ...string) rendered {
	var stdout, stderr bytes.Buffer
	err := render.Run(context.Background(), append([]string{"-f", "-"}, args...), render.Process{
		Version: "v0.0.0", Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
	})
	return rendered{stdout: stdout.String(), stderr: stderr.String(), err: err}
}

// kinds are those of the printed objects, in order.
func (r rendered) kinds() []string {
	GinkgoHelper()
	var kinds []string
	for _, obj := range r.objects() {
		kinds = append(kinds, obj["kind"].(string))
	}
	return kinds
}

func (r rendered) objects() []map[string]any {
	GinkgoHelper()
	Expect(r.err).NotTo(HaveOccurred())
	var objects []map[string]any
	for _, document := range strings.Split(r.stdout, "\n---\n")[1:] {
		obj := map[string]any{}
		Expect(yaml.Unmarshal([]byte(document), &obj)).To(Succeed())
		objects = append(objects, obj)
	}
	return objects
}

// object is the printed one of a kind.
func (r rendered) object(kind string) string {
	GinkgoHelper()
	for _, obj := range r.objects() {
		if obj["kind"] == kind {
			text, err := yaml.Marshal(obj)
			Expect(err).NotTo(HaveOccurred())
			return string(text)
		}
	}
	Fail("no " + kind + " was printed")
	return ""
}

const minimal = `apiVersion: gateway.tars.dev/v1alpha1
kind: TarsBackend
metadata: {name: tars, namespace: team}
spec:
  parentRefs: [{name: eg}]
  credential: {secretRef: {name: key}}
`

// with adds lines to the spec of minimal.
func with(lines ...string) string { return minimal + "  " + strings.Join(lines, "\n  ") + "\n" }

const envoyGateway = `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: eg, namespace: team}
spec: {gatewayClassName: eg, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: eg}
spec: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}
`

func secret(value string) string {
	return "---\napiVersion: v1\nkind: Secret\nmetadata: {name: key, namespace: team}\nstringData: {apiKey: \"" + value + "\"}\n"
}

var _ = Describe("render", func() {
	DescribeTable("prints what the golden file has", func(name string, args ...string) {
		in, err := os.ReadFile(filepath.Join("testdata", name+".in.yaml"))
		Expect(err).NotTo(HaveOccurred())
		got := run(string(in), args...)
		Expect(got.err).NotTo(HaveOccurred())
		for suffix, text := range map[string]string{".out.yaml": got.stdout, ".out.txt": got.stderr} {
			golden := filepath.Join("testdata", name+suffix)
			if *update {
				Expect(os.WriteFile(golden, []byte(text), 0o600)).To(Succeed())
			}
			want, err := os.ReadFile(golden)
			Expect(err).NotTo(HaveOccurred(), "run make goldens for a new case")
			Expect(text).To(Equal(string(want)), "read the difference; if it is meant, run make goldens")
		}
	},
		Entry("of a TarsBackend alone", "alone"),
		Entry("of one as kubectl prints it, with all that it names", "live",
			"--extproc-image=registry.example.com/tars-operator@sha256:"+strings.Repeat("0", 64), "--extproc-image-pull-policy=Always",
			"--allowed-endpoints=tars.example.com"),
	)

	It("prints the same twice, in the order of applying, the HTTPRoute last", func() {
		first := run(minimal)
		kinds := first.kinds()
		Expect(kinds[0]).To(Equal("Secret"))
		Expect(kinds[len(kinds)-1]).To(Equal("HTTPRoute"))
		Expect(run(minimal).stdout).To(Equal(first.stdout))
	})

	It("keeps of an EnvoyExtensionPolicy in the files what stays for its life", func() {
		standing := run(minimal).object("EnvoyExtensionPolicy")
		Expect(standing).To(ContainSubstring("      connection:\n        bufferLimit: 1Mi\n"))
		Expect(run(minimal + "---\n" + standing).object("EnvoyExtensionPolicy")).To(Equal(standing))
		old := strings.Replace(standing, "      connection:\n        bufferLimit: 1Mi\n", "", 1)
		Expect(run(minimal + "---\n" + old).object("EnvoyExtensionPolicy")).To(Equal(old))
		other := strings.Replace(old, "  name: tars\n  namespace", "  name: another\n  namespace", 1)
		Expect(other).NotTo(Equal(old))
		Expect(run(minimal + "---\n" + other).object("EnvoyExtensionPolicy")).To(Equal(standing))
		foreign := strings.ReplaceAll(old, "tars-operator", "somebody")
		got := run(minimal + "---\n" + foreign + "---\n" + foreign) // as in a base and an overlay
		Expect(got.object("EnvoyExtensionPolicy")).To(Equal(standing))
		Expect(got.stderr).NotTo(ContainSubstring("EnvoyExtensionPolicy"))
	})

	It("takes the chart's image where none is given", func() {
		content, err := os.ReadFile(filepath.Join("..", "..", "charts", "tars-operator", "values.yaml"))
		Expect(err).NotTo(HaveOccurred())
		var values struct {
			Manager struct {
				Image struct{ Registry, Repository string }
			}
		}
		Expect(yaml.Unmarshal(content, &values)).To(Succeed())
		image := values.Manager.Image.Registry + "/" + values.Manager.Image.Repository + ":v0.0.0"
		Expect(run(minimal).object("Deployment")).To(ContainSubstring("image: " + image + "\n"))
	})

	It("prints nothing of the key, which it checks", func() {
		got := run(minimal + secret(canaryKey))
		Expect(got.err).NotTo(HaveOccurred())
		Expect(got.stdout).To(ContainSubstring("# The value is a placeholder"))
		for _, text := range []string{canaryKey, base64.StdEncoding.EncodeToString([]byte(canaryKey)), base64.StdEncoding.EncodeToString([]byte("Bearer " + canaryKey))} {
			Expect(got.stdout + got.stderr).NotTo(ContainSubstring(text))
		}
		Expect(got.stderr).NotTo(ContainSubstring("Secret"))
	})

	It("prints several TarsBackends, each under its heading and with a UID of its own", func() {
		got := run(minimal + "---\n" + strings.Replace(with("pathPrefix: /other"), "name: tars", "name: other", 1))
		Expect(got.kinds()).To(HaveLen(2 * len(run(minimal).kinds())))
		Expect(strings.Count(got.stdout, "# What the manager applies for TarsBackend team/")).To(Equal(2))
		Expect(strings.Count(got.stdout, "stands in for it. In a")).To(Equal(2))
	})

	Describe("The UID", func() {
		const uid = "6d1f0c5e-35a5-4b8f-9a55-0a5b0a8f7c11"
		It("may be given, which is the same as in the document", func() {
			given := run(minimal, "--uid="+uid)
			Expect(given.err).NotTo(HaveOccurred())
			Expect(given.stdout).NotTo(ContainSubstring("metadata.uid"))
			Expect(given.stdout).To(ContainSubstring("uid: " + uid))
			there := run(strings.Replace(minimal, "{name: tars", "{uid: "+uid+", name: tars", 1))
			Expect(there.stdout).To(Equal(given.stdout))
			Expect(run(minimal).stdout).NotTo(Equal(given.stdout))
		})
	})

	DescribeTable("takes for granted what is not in the files, and says so", func(text string, notes ...string) {
		got := run(text)
		Expect(got.err).NotTo(HaveOccurred())
		lines := strings.Split(strings.TrimSuffix(got.stderr, "\n"), "\n")
		if len(notes) == 0 {
			Expect(got.stderr).To(BeEmpty())
			return
		}
		Expect(lines).To(HaveLen(len(notes)), got.stderr)
		for i, note := range notes {
			Expect(lines[i]).To(HavePrefix("note: TarsBackend team/tars: " + note))
		}
	},
		Entry("nothing, with all of it", minimal+secret(canaryKey)+envoyGateway),
		Entry("the Secret", minimal+envoyGateway, "Secret team/key is not in the files"),
		Entry("the Gateway", minimal+secret(canaryKey), "Gateway team/eg is not in the files"),
		Entry("the class", minimal+secret(canaryKey)+strings.Replace(envoyGateway, "{name: eg}", "{name: another}", 1), "GatewayClass eg is not in the files"),
		Entry("that it is reconciled", strings.Replace(minimal, "{name: tars,", "{annotations: {gateway.tars.dev/paused: \"true\"}, name: tars,", 1)+
			secret(canaryKey)+envoyGateway, "the annotation gateway.tars.dev/paused"),
		Entry("that it stays", strings.Replace(minimal, "{name: tars,", "{deletionTimestamp: 2026-01-02T03:04:05Z, finalizers: [a/b], name: tars,", 1)+
			secret(canaryKey)+envoyGateway, "it is being deleted"),
		Entry("the CA", with("endpoint: {tls: {validation: {caCertificateRefs: [{group: \"\", kind: ConfigMap, name: ca}]}}}")+secret(canaryKey)+envoyGateway,
			"ConfigMap team/ca is not in the files"),
	)

	It("keeps the order of the parents, whichever of them the files hold", func() {
		three := strings.Replace(minimal, "[{name: eg}]", "[{name: zebra}, {name: eg}, {name: aardvark, namespace: infra}]", 1)
		route := run(three + secret(canaryKey) + envoyGateway).object("HTTPRoute")
		Expect(route).To(MatchRegexp(`(?s)name: zebra\n.*name: eg\n.*name: aardvark\n`))
	})

	It("leaves out a parent of another controller, as the manager does", func() {
		got := run(strings.Replace(minimal, "[{name: eg}]", "[{name: eg}, {name: foreign}]", 1) + secret(canaryKey) + envoyGateway +
			strings.ReplaceAll(strings.Replace(envoyGateway, "gateway.envoyproxy.io/gatewayclass-controller", "example.com/other", 1), " eg", " foreign"))
		Expect(got.object("HTTPRoute")).NotTo(ContainSubstring("foreign"))
		Expect(got.stderr).To(ContainSubstring("a parent is left out of the HTTPRoute: Gateway team/foreign belongs to controller example.com/other"))
	})

	DescribeTable("prints nothing where the manager would not apply anything", func(text string, words string, args ...string) {
		got := run(text, args...)
		Expect(got.err).To(MatchError(And(ContainSubstring("TarsBackend team/tars"), ContainSubstring(words))))
		Expect(errors.Is(got.err, cli.ErrUsage)).To(BeFalse())
		Expect(got.stdout).To(BeEmpty())
	},
		Entry("an invalid spec", with("pathPrefix: llm"), "must start with /"),
		Entry("an endpoint that is not allowed", with("endpoint: {hostname: tars.example.com}"), "EndpointNotAllowed"),
		Entry("an endpoint that the flag does not allow", minimal, "EndpointNotAllowed", "--allowed-endpoints=tars.example.com"),
		Entry("a placeholder for a key", minimal+secret("replace-with-your-TARS-key"), "PlaceholderKey"),
		Entry("a Secret without the key", strings.Replace(minimal, "{name: key}", "{name: key, key: other}", 1)+secret(canaryKey), "SecretKeyNotFound"),
		Entry("a CA that is none", with("endpoint: {tls: {validation: {caCertificateRefs: [{group: \"\", kind: ConfigMap, name: ca}]}}}")+
			"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ca, namespace: team}\ndata: {ca.crt: none}\n", "InvalidCACertificate"),
		Entry("no Gateway of Envoy Gateway", minimal+envoyGateway, "NotEnvoyGateway", "--gateway-controller-names=example.com/other"),
		Entry("an older TarsBackend in the same place", minimal+envoyGateway+"---\n"+strings.Replace(minimal, "name: tars", "name: elder", 1), "Conflicted"),
	)

	DescribeTable("is called wrongly", func(words string, args ...string) {
		got := run(minimal, args...)
		Expect(got.err).To(MatchError(cli.ErrUsage))
		Expect(got.err).To(MatchError(ContainSubstring(words)))
	},
		Entry("with a name", "-f only", "tars"),
		Entry("with a UID that is no label", "--uid", "--uid=a b"),
		Entry("with a pull policy that there is not", "--extproc-image-pull-policy", "--extproc-image-pull-policy=always"),
	)

	It("is called wrongly with one UID for two objects, and with another UID than the document's", func() {
		two := run(minimal+"---\n"+strings.Replace(minimal, "name: tars", "name: two", 1), "--uid=u")
		Expect(two.err).To(MatchError(cli.ErrUsage))
		other := run(strings.Replace(minimal, "{name: tars", "{uid: a, name: tars", 1), "--uid=b")
		Expect(other.err).To(MatchError(cli.ErrUsage))
	})

	It("is called wrongly without a file", func() {
		Expect(render.Run(context.Background(), nil, render.Process{})).To(MatchError(cli.ErrUsage))
	})
})
