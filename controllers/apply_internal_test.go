// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

var _ = Describe("What is sent to the API server", func() {
	var (
		sent []map[string]any
		r    *TarsBackendReconciler
		s    *scope
		obj  *corev1.ServiceAccount
	)

	BeforeEach(func() {
		scheme := runtime.NewScheme()
		Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
		sent = nil
		c := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).Build(), interceptor.Funcs{
			Patch: func(_ context.Context, _ client.WithWatch, answer client.Object, p client.Patch, _ ...client.PatchOption) error {
				data, err := p.Data(answer)
				if err != nil {
					return err
				}
				var body map[string]any
				answer.SetUID("there")
				answer.SetResourceVersion("1")
				sent = append(sent, body)
				return json.Unmarshal(data, &sent[len(sent)-1])
			},
		})
		r = &TarsBackendReconciler{client: c, memory: newMemory()}
		s = &scope{backend: &v1alpha1.TarsBackend{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "tars"}}}
		obj = &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "sa", Labels: map[string]string{"l": "1"}, ResourceVersion: "9", Finalizers: []string{"f"},
		}}
	})

	It("is for the object that was looked at, and no other of its name", func(ctx SpecContext) {
		present := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "sa", UID: "seen"}}
		Expect(r.applyOne(ctx, s, obj, present)).To(Succeed())
		Expect(sent).To(HaveLen(1))
		Expect(sent[0]["metadata"]).To(HaveKeyWithValue("uid", "seen"))
	})

	It("holds what we have an opinion on, and nothing else", func(ctx SpecContext) {
		Expect(r.applyOne(ctx, s, obj, nil)).To(Succeed())
		Expect(sent).To(Equal([]map[string]any{{
			"apiVersion": "v1", "kind": "ServiceAccount",
			"metadata": map[string]any{
				"namespace": "ns", "name": "sa", "labels": map[string]any{"l": "1"},
				"resourceVersion": "1", // no object has it: only a new one is made
			},
		}}))
	})

	It("is sent again only after something changed", func(ctx SpecContext) {
		Expect(r.applyOne(ctx, s, obj, nil)).To(Succeed())
		asLeft, ok := r.memory.get(s.name(), childKey{kind: corev1.SchemeGroupVersion.WithKind("ServiceAccount"), name: client.ObjectKeyFromObject(obj)})
		Expect(ok).To(BeTrue())
		Expect(r.applyOne(ctx, s, obj, asLeft.object)).To(Succeed())
		Expect(sent).To(HaveLen(1))

		By("changing the object")
		changed := asLeft.object.DeepCopyObject().(client.Object)
		changed.SetResourceVersion("2")
		Expect(r.applyOne(ctx, s, obj, changed)).To(Succeed())
		Expect(sent).To(HaveLen(2))

		By("changing the intent")
		obj.Labels["l"] = "2"
		Expect(r.applyOne(ctx, s, obj, asLeft.object)).To(Succeed())
		Expect(sent).To(HaveLen(3))
	})

	It("loses nulls at any depth", func() {
		body := map[string]any{"a": nil, "b": map[string]any{"c": nil, "d": 1}, "e": []any{map[string]any{"f": nil}}}
		dropNulls(body)
		Expect(body).To(Equal(map[string]any{"b": map[string]any{"d": 1}, "e": []any{map[string]any{}}}))
	})
})
