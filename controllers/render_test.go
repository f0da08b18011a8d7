// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers"
	"github.com/tars-operator/tars-operator/controllers/render"
)

// dump is an object as kubectl get -o yaml --show-managed-fields prints it.
func dump(ctx context.Context, w *world, kind, name string) string {
	GinkgoHelper()
	obj := &unstructured.Unstructured{}
	obj.SetAPIVersion(v1alpha1.SchemeGroupVersion.String())
	if kind == "Gateway" {
		obj.SetAPIVersion("gateway.networking.k8s.io/v1")
	}
	obj.SetKind(kind)
	Expect(w.get(ctx, named(w, obj, name))).To(Succeed())
	content, err := yaml.Marshal(obj)
	Expect(err).NotTo(HaveOccurred())
	return "---\n" + string(content)
}

// renderLive renders objects that the cluster holds, with the manager's flags.
func renderLive(ctx context.Context, documents string) []*unstructured.Unstructured {
	GinkgoHelper()
	var stdout bytes.Buffer
	Expect(render.Run(ctx, []string{
		"-f", "-", "--extproc-image=registry.example.com/tars-operator:test", "--allowed-endpoints=*.tetrate.ai,tars.example.com",
	}, render.Process{Stdin: strings.NewReader(documents), Stdout: &stdout, Stderr: GinkgoWriter})).To(Succeed())
	var objects []*unstructured.Unstructured
	for _, document := range strings.Split(stdout.String(), "\n---\n")[1:] {
		obj := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(document), obj)).To(Succeed())
		objects = append(objects, obj)
	}
	return objects
}

// expectAsRendered compares the children with what render prints, field by field.
func (w *world) expectAsRendered(ctx context.Context, g Gomega) {
	GinkgoHelper()
	live := w.children(ctx, g)
	printed := renderLive(ctx, dump(ctx, w, "TarsBackend", "tars")+dump(ctx, w, "Gateway", "gw"))
	g.Expect(printed).To(HaveLen(len(live)))
	for _, obj := range printed {
		id := child{kind: obj.GroupVersionKind(), name: obj.GetName()}
		g.Expect(live).To(HaveKey(id))
		if obj.GetKind() == "Secret" {
			value := obj.Object["data"].(map[string]any)["credential"]
			g.Expect(value).NotTo(Equal(live[id].Object["data"].(map[string]any)["credential"]), "the key is printed")
			obj.Object["data"] = live[id].Object["data"]
		}
		// Whatever differed, lacked or was too much would change the object or
		// what our field manager owns of it.
		g.Expect(w.api.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), controllers.FieldOwner, client.ForceOwnership,
			client.DryRunAll)).To(Succeed())
		g.Expect(withoutTimes(obj)).To(Equal(withoutTimes(live[id])), id.String())
	}
}

var _ = Describe("What render prints of a live TarsBackend", func() {
	DescribeTable("is what the manager has applied, field by field", func(ctx SpecContext, change func(*v1alpha1.TarsBackendSpec)) {
		w := newWorld(ctx)
		change(&w.backend.Spec)
		w.ready(ctx)
		w.expectAsRendered(ctx, Default)
	},
		Entry("with defaults", func(*v1alpha1.TarsBackendSpec) {}),
		Entry("with much of its spec set", func(spec *v1alpha1.TarsBackendSpec) {
			spec.PathPrefix = "/llm"
			spec.Models = &v1alpha1.Models{Allow: []string{"gpt-4o-mini", "claude-*"}, Aliases: []v1alpha1.ModelAlias{{Name: "fast", Model: "xai/grok-4.5"}}}
			spec.Timeouts = &v1alpha1.Timeouts{}
			spec.ExtProc = &v1alpha1.ExtProc{Replicas: new(int32(1)), PodTemplate: &v1alpha1.ExtProcPodTemplate{PriorityClassName: "system-cluster-critical"}}
		}),
	)
})

// withoutTimes is an object without the times at which fields were written.
func withoutTimes(obj *unstructured.Unstructured) map[string]any {
	fields := obj.GetManagedFields()
	for i := range fields {
		fields[i].Time = &metav1.Time{}
	}
	obj.SetManagedFields(fields)
	return obj.Object
}
