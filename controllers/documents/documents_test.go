// SPDX-License-Identifier: Apache-2.0

package documents_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/documents"
)

// tarsBackend is a valid one with further lines of its spec.
func tarsBackend(lines ...string) string {
	return "apiVersion: gateway.tars.dev/v1alpha1\nkind: TarsBackend\nmetadata: {name: tars}\nspec:\n" +
		"  parentRefs: [{name: eg}]\n  credential: {secretRef: {name: key}}\n  " + strings.Join(lines, "\n  ") + "\n"
}

func read(text string) (*documents.Set, error) {
	return documents.Reader{Stdin: strings.NewReader(text), Namespace: "team"}.Read(context.Background(), []string{documents.Stdin})
}

func name(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

var _ = Describe("Documents", func() {
	It("give TarsBackends the defaults of the CRD, and the namespace asked for", func() {
		set, err := read(tarsBackend())
		Expect(err).NotTo(HaveOccurred())
		Expect(set.Backends).To(HaveLen(1))
		b := set.Backends[0]
		Expect(b.Namespace).To(Equal("team"))
		Expect(b.Spec.PathPrefix).To(Equal("/"))
		Expect(b.Spec.Endpoint.Hostname).To(Equal("api.router.tetrate.ai"))
		Expect(b.Spec.Endpoint.Port).To(BeEquivalentTo(443))
		Expect(b.Spec.Credential.SecretRef.Key).To(Equal("apiKey"))
		Expect(b.Spec.Readiness.DataPlane).To(Equal(v1alpha1.ReadinessRequired))
		Expect(b.Status.ObservedGeneration).To(BeEquivalentTo(-1))
	})

	It("come from several files and from standard input, in order", func() {
		dir := GinkgoT().TempDir()
		var files []string
		for _, n := range []string{"a", "b"} {
			file := filepath.Join(dir, n+".yaml")
			Expect(os.WriteFile(file, []byte(strings.Replace(tarsBackend(), "name: tars}", "name: "+n+"}", 1)), 0o600)).To(Succeed())
			files = append(files, file)
		}
		set, err := documents.Reader{Stdin: strings.NewReader(tarsBackend()), Namespace: "team"}.Read(context.Background(), []string{files[1], documents.Stdin, files[0]})
		Expect(err).NotTo(HaveOccurred())
		var names []string
		for _, b := range set.Backends {
			names = append(names, b.Name)
		}
		Expect(names).To(Equal([]string{"b", "tars", "a"}))
	})

	It("may be lists and JSON, as kubectl prints them, among others and empty ones", func() {
		set, err := read("---\n# nothing\n---\n{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [" +
			`{"apiVersion":"gateway.tars.dev/v1alpha1","kind":"TarsBackend","metadata":{"name":"tars","namespace":"other","generation":3,` +
			`"managedFields":[{"manager":"m","operation":"Update","fieldsV1":{"f:spec":{}}}]},` +
			`"spec":{"parentRefs":[{"name":"eg"}],"credential":{"secretRef":{"name":"key"}},"requestBody":{"maxSize":1048576}},` +
			`"status":{"observedGeneration":3}}` +
			"]}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: something}\n")
		Expect(err).NotTo(HaveOccurred())
		Expect(set.Backends).To(HaveLen(1))
		Expect(set.Backends[0].Namespace).To(Equal("other"))
		Expect(set.Backends[0].Generation).To(BeEquivalentTo(3))
		Expect(set.Backends[0].Spec.RequestBody.MaxSize.Value()).To(BeEquivalentTo(1 << 20))
	})

	It("serve the objects that TarsBackends name", func(ctx SpecContext) {
		set, err := read(tarsBackend() + `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: eg}
spec: {gatewayClassName: envoy, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: envoy, namespace: by-mistake}
spec: {controllerName: example.com/controller}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
data: {a: b25l}
stringData: {b: two}
---
apiVersion: v1
kind: Namespace
metadata: {name: team, labels: {l: "1"}}
`)
		Expect(err).NotTo(HaveOccurred())
		gateway := &gatewayv1.Gateway{}
		Expect(set.Get(ctx, name("team", "eg"), gateway)).To(Succeed())
		Expect(gateway.Spec.Listeners).To(HaveLen(1))
		class := &gatewayv1.GatewayClass{}
		Expect(set.Get(ctx, name("", "envoy"), class)).To(Succeed())
		Expect(string(class.Spec.ControllerName)).To(Equal("example.com/controller"))
		secret := &corev1.Secret{}
		Expect(set.Get(ctx, name("team", "key"), secret)).To(Succeed())
		Expect(secret.Type).To(Equal(corev1.SecretTypeOpaque))
		Expect(secret.Data).To(Equal(map[string][]byte{"a": []byte("one"), "b": []byte("two")}))
		ns := &metav1.PartialObjectMetadata{}
		ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		Expect(set.Get(ctx, name("", "team"), ns)).To(Succeed())
		Expect(ns.Labels).To(HaveKeyWithValue("l", "1"))
		err = set.Get(ctx, name("other", "key"), secret)
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	})

	DescribeTable("are refused, naming file, object, field and fix", func(text string, words ...string) {
		_, err := read(text)
		Expect(err).To(HaveOccurred())
		for _, word := range words {
			Expect(err.Error()).To(ContainSubstring(word))
		}
	},
		Entry("without a TarsBackend", "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: d}\n", "no TarsBackend"),
		Entry("of another version", strings.Replace(tarsBackend(), "v1alpha1", "v1", 1), "apiVersion", "write apiVersion: gateway.tars.dev/v1alpha1"),
		Entry("that are no YAML", "a: [", "-, document 1"),
		Entry("with a key twice", tarsBackend("pathPrefix: /a", "pathPrefix: /b"), "pathPrefix"),
		Entry("that are no object", "- a\n", "-, document 1: it is no object"),
		Entry("without a name", strings.Replace(tarsBackend(), "{name: tars}", "{}", 1), "metadata.name"),
		Entry("twice", tarsBackend()+"---\n"+tarsBackend(), "-: TarsBackend team/tars", "twice"),
		Entry("with an unknown field", tarsBackend("pathPrefixx: /a"), "-: TarsBackend team/tars: spec.pathPrefixx", "no such field"),
		Entry("with an unknown field in metadata", strings.Replace(tarsBackend(), "{name: tars}", "{name: tars, lables: {}}", 1), "metadata.lables"),
		Entry("with a wrong type", tarsBackend("extProc: {replicas: two}"), "spec.extProc.replicas", "integer"),
		Entry("with a value that there is not", tarsBackend("unlistedPaths: deny"), "spec.unlistedPaths", `"Deny"`),
		Entry("without what is required", strings.Replace(tarsBackend(), "credential", "# credential", 1), "spec.credential", "Required"),
		Entry("breaking a rule", tarsBackend("pathPrefix: /llm/v1"), "spec.pathPrefix", "leave /v1 out of pathPrefix"),
		Entry("breaking a rule about the name", strings.Replace(tarsBackend(), "name: tars}", "name: 1tars}", 1), "metadata.name must begin with a letter"),
		Entry("breaking a rule of an item", tarsBackend("models: {allow: [\"a*b\"]}"), "spec.models.allow[0]", "* may stand only at the end"),
		Entry("with an item twice in a set", tarsBackend("models: {allow: [a, a]}"), "spec.models.allow[1]", "Duplicate"),
		Entry("with an entry twice in a map", tarsBackend("models: {aliases: [{name: a, model: b}, {name: a, model: c}]}"), "spec.models.aliases[1]", "Duplicate"),
		Entry("with a Gateway that is none", tarsBackend()+"---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: eg}\nspec: {listeners: no}\n", "-: Gateway team/eg"),
	)

	It("are refused for everything that is wrong at once", func() {
		_, err := read(tarsBackend("pathPrefix: llm/") + "---\n" + strings.Replace(tarsBackend("timeouts: {connect: 0s}"), "name: tars}", "name: two}", 1))
		Expect(err).To(MatchError(And(ContainSubstring("must start with /"), ContainSubstring("must not end with /"),
			ContainSubstring("TarsBackend team/two: spec.timeouts.connect"))))
		for line := range strings.SplitSeq(err.Error(), "\n") {
			Expect(line).To(HavePrefix("-: TarsBackend team/"))
		}
	})

	It("name a file that cannot be read", func() {
		_, err := documents.Reader{}.Read(context.Background(), []string{filepath.Join(GinkgoT().TempDir(), "none.yaml")})
		Expect(errors.Is(err, os.ErrNotExist)).To(BeTrue())
		Expect(err).To(MatchError(ContainSubstring("none.yaml")))
	})

	It("keep a Secret's content to themselves, broken as it may be", func() {
		for _, data := range []string{"data: {apiKey: sk-canary-5f2b1c9e7d}", "stringData: {apiKey: [sk-canary-5f2b1c9e7d]}", "data: sk-canary-5f2b1c9e7d"} {
			_, err := read(fmt.Sprintf("%s---\napiVersion: v1\nkind: Secret\nmetadata: {name: key}\n%s\n", tarsBackend(), data))
			Expect(err).To(MatchError(And(ContainSubstring("Secret team/key"), Not(ContainSubstring("5f2b1c9e7d")))), data)
		}
	})

	It("take the samples", func() {
		files, err := filepath.Glob(filepath.Join("..", "..", "config", "samples", "*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		set, err := documents.Reader{Namespace: "default"}.Read(context.Background(), files)
		Expect(err).NotTo(HaveOccurred())
		Expect(set.Backends).NotTo(BeEmpty())
	})
})
