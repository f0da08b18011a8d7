// SPDX-License-Identifier: Apache-2.0

package goldens

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// fieldOwner is the manager's.
const fieldOwner = client.FieldOwner("tars-operator")

// testdata is where controllers/desired keeps its golden files.
var testdata = filepath.Join("..", "..", "controllers", "desired", "testdata")

var documentSeparator = regexp.MustCompile(`(?m)^---$\n?`)

var _ = Describe("The golden files", func() {
	outputs, err := filepath.Glob(filepath.Join(testdata, "*.out.yaml"))
	if err != nil {
		Fail(err.Error())
	}

	It("are there", func() {
		Expect(len(outputs)).To(BeNumerically(">=", 15))
	})

	for _, output := range outputs {
		name := strings.TrimSuffix(filepath.Base(output), ".out.yaml")
		Describe(name, func() {
			It("comes from a TarsBackend that the API server takes", func(ctx SpecContext) {
				backend := documents(filepath.Join(testdata, name+".in.yaml"))[0]
				backend.SetNamespace(restrictedNamespace(ctx))
				unstructured.RemoveNestedField(backend.Object, "metadata", "uid")
				Expect(api.Create(ctx, backend)).To(Succeed())
			})

			It("is admitted, has no default left out, and a second apply writes nothing", func(ctx SpecContext) {
				namespace := restrictedNamespace(ctx)
				for _, want := range children(output, namespace) {
					id := want.GetKind() + " " + want.GetName()
					first := apply(ctx, want)
					expectComplete(id, want, first)
					second := apply(ctx, want)
					Expect(second.GetResourceVersion()).To(Equal(first.GetResourceVersion()), id)
					Expect(second.GetGeneration()).To(Equal(first.GetGeneration()), id)
				}
			})

			It("has pods of the restricted pod security standard", func(ctx SpecContext) {
				namespace := restrictedNamespace(ctx)
				pod := podOf(children(output, namespace))
				pod.Namespace = namespace
				Expect(api.Create(ctx, pod, client.DryRunAll)).To(Succeed())

				pod.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil
				Expect(api.Create(ctx, pod, client.DryRunAll)).To(MatchError(ContainSubstring("violates PodSecurity")),
					"the API server does judge pods here")
			})
		})
	}
})

// documents reads a YAML stream. A document without a kind is left out.
func documents(path string) []*unstructured.Unstructured {
	GinkgoHelper()
	data, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	var found []*unstructured.Unstructured
	for _, document := range documentSeparator.Split(string(data), -1) {
		object := map[string]any{}
		Expect(yaml.UnmarshalStrict([]byte(document), &object)).To(Succeed())
		if object["kind"] != nil {
			found = append(found, &unstructured.Unstructured{Object: object})
		}
	}
	Expect(found).NotTo(BeEmpty())
	return found
}

// children are the objects of a golden file, in a namespace of the test.
func children(path, namespace string) []*unstructured.Unstructured {
	GinkgoHelper()
	found := documents(path)
	for _, object := range found {
		object.SetNamespace(namespace)
	}
	return found
}

// apply writes an object like the manager and returns what the API server
// made of it.
func apply(ctx SpecContext, want *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	data, err := json.Marshal(want)
	Expect(err).NotTo(HaveOccurred())
	got := &unstructured.Unstructured{}
	got.SetGroupVersionKind(want.GroupVersionKind())
	got.SetNamespace(want.GetNamespace())
	got.SetName(want.GetName())
	Expect(api.Patch(ctx, got, client.RawPatch(types.ApplyPatchType, data), fieldOwner, client.ForceOwnership)).
		To(Succeed(), want.GetKind()+" "+want.GetName())
	return got
}

// expectComplete compares the spec with what the API server keeps. In the
// lists of Gateway API and Envoy Gateway, which are atomic, a default left out
// would look like somebody else's change for ever.
func expectComplete(id string, want, got *unstructured.Unstructured) {
	GinkgoHelper()
	switch want.GroupVersionKind().Group {
	case "gateway.networking.k8s.io", "gateway.envoyproxy.io":
		Expect(normal(got.Object["spec"])).To(Equal(normal(want.Object["spec"])), id)
	default:
	}
}

// normal gives numbers one type.
func normal(value any) any {
	GinkgoHelper()
	data, err := json.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	var plain any
	Expect(json.Unmarshal(data, &plain)).To(Succeed())
	return plain
}

// podOf is a pod as the Deployment's controller would make it.
func podOf(objects []*unstructured.Unstructured) *corev1.Pod {
	GinkgoHelper()
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		template, found, err := unstructured.NestedMap(object.Object, "spec", "template")
		Expect(err).NotTo(HaveOccurred())
		Expect(found).To(BeTrue())
		pod := &corev1.Pod{}
		Expect(runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(template, pod, true)).To(Succeed())
		pod.Name = object.GetName()
		return pod
	}
	Fail("no Deployment")
	return nil
}
