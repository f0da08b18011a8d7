// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

var _ = Describe("What the API server is asked for has to be as new as", func() {
	var (
		scheme *runtime.Scheme
		asked  []string // resourceVersions
		direct client.Client
	)
	BeforeEach(func() {
		scheme, asked = runtime.NewScheme(), nil
		Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
		direct = interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).Build(), interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
				asked = append(asked, (&client.GetOptions{}).ApplyOptions(opts).AsGetOptions().ResourceVersion)
				return c.Get(ctx, key, obj, opts...)
			},
		})
	})
	holding := func(objects ...client.Object) client.Client {
		return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	}

	It("the metadata that the cache has of a Secret, or the newest where it has none", func(ctx SpecContext) {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "key", ResourceVersion: "7"}}
		name := client.ObjectKeyFromObject(secret)
		Expect(values{told: holding(secret), direct: direct}.Get(ctx, name, &corev1.Secret{})).NotTo(Succeed())
		Expect(values{told: holding(), direct: direct}.Get(ctx, name, &corev1.Secret{})).NotTo(Succeed())
		Expect(asked).To(Equal([]string{"7", newest}))
	})
	It("our own last write of a child, or what is at hand where we wrote none", func(ctx SpecContext) {
		owner := types.NamespacedName{Namespace: "ns", Name: "tars"}
		key := childKey{kind: kindDeployment, name: types.NamespacedName{Namespace: "ns", Name: "d"}}
		r := &TarsBackendReconciler{client: holding(), children: holding(), direct: direct, memory: newMemory()}
		r.memory.put(owner, key, applied{object: deploymentAt("9", "a")})
		for range 2 { // what turns out to be gone is forgotten
			_, err := r.live(ctx, owner, key)
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(asked).To(Equal([]string{"9", atHand}))
	})
})
