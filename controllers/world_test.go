// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"maps"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/canary"
)

const (
	// egClass belongs to the Envoy Gateway under test, otherClass to nobody
	// that we know.
	egClass    = "eg"
	otherClass = "other"
	// tarsKey is a key that must not be seen outside the two Secrets.
	tarsKey = "sk-canary-5f2b1c9e7d"
)

func createGatewayClasses(ctx context.Context, c client.Client) {
	GinkgoHelper()
	for name, controller := range map[string]gatewayv1.GatewayController{
		egClass: egController, otherClass: "example.com/another-controller",
	} {
		Expect(c.Create(ctx, &gatewayv1.GatewayClass{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: gatewayv1.GatewayClassSpec{ControllerName: controller},
		})).To(Succeed())
	}
}

// world is a namespace of its own with what a TarsBackend needs. Nothing of it
// exists before it is created.
type world struct {
	api       client.Client
	namespace string
	backend   *v1alpha1.TarsBackend
	secret    *corev1.Secret
	gateway   *gatewayv1.Gateway
	service   *corev1.Service
	slice     *discoveryv1.EndpointSlice
}

func newWorld(ctx context.Context) *world {
	GinkgoHelper()
	return newWorldIn(ctx, api)
}

func newWorldIn(ctx context.Context, c client.Client) *world {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "w-"}}
	Expect(c.Create(ctx, ns)).To(Succeed())
	w := &world{api: c, namespace: ns.Name}
	w.secret = &corev1.Secret{ObjectMeta: w.meta("tars-api-key"), Data: map[string][]byte{"apiKey": []byte(tarsKey)}}
	w.gateway = &gatewayv1.Gateway{ObjectMeta: w.meta("gw"), Spec: gatewayv1.GatewaySpec{
		GatewayClassName: egClass,
		Listeners:        []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
	}}
	labels := map[string]string{
		"app.kubernetes.io/managed-by": "envoy-gateway",
		canary.LabelOwningGatewayName:  "gw", canary.LabelOwningGatewayNamespace: ns.Name,
	}
	w.service = &corev1.Service{ObjectMeta: w.meta("envoy"), Spec: corev1.ServiceSpec{
		Ports: []corev1.ServicePort{{Name: "http-80", Port: 80}},
	}}
	w.service.Labels = labels
	w.slice = &discoveryv1.EndpointSlice{
		ObjectMeta: w.meta("envoy-1"), AddressType: discoveryv1.AddressTypeIPv4,
		Ports: []discoveryv1.EndpointPort{{Name: new("http-80"), Port: new(int32(10080))}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"192.0.2.7"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: ns.Name, Name: "envoy-1"},
		}},
	}
	w.slice.Labels = map[string]string{discoveryv1.LabelServiceName: "envoy"}
	maps.Copy(w.slice.Labels, labels)
	w.backend = &v1alpha1.TarsBackend{ObjectMeta: w.meta("tars"), Spec: v1alpha1.TarsBackendSpec{
		ParentRefs: []gatewayv1.ParentReference{{Name: "gw"}},
		Credential: v1alpha1.Credential{SecretRef: v1alpha1.SecretKeyReference{Name: "tars-api-key"}},
	}}
	return w
}

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

func (w *world) name() types.NamespacedName { return client.ObjectKeyFromObject(w.backend) }

// create creates objects of the world: all of them where none are named.
func (w *world) create(ctx context.Context, objects ...client.Object) *world {
	GinkgoHelper()
	if len(objects) == 0 {
		objects = []client.Object{w.secret, w.gateway, w.service, w.slice, w.backend}
	}
	for _, obj := range objects {
		Expect(w.api.Create(ctx, obj)).To(Succeed())
	}
	return w
}

// ready creates everything and waits for Ready.
func (w *world) ready(ctx context.Context) *world {
	GinkgoHelper()
	w.create(ctx)
	w.expectReady(ctx)
	return w
}

// get reads an object by its own name.
func (w *world) get(ctx context.Context, obj client.Object) error {
	return w.api.Get(ctx, client.ObjectKeyFromObject(obj), obj)
}

// named is an empty object with a name in this world, to read into.
func named[T client.Object](w *world, obj T, name string) T {
	obj.SetNamespace(w.namespace)
	obj.SetName(name)
	return obj
}

// update changes an object, again if someone else did meanwhile.
func update[T client.Object](ctx context.Context, w *world, obj T, change func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := w.get(ctx, obj); err != nil {
			return err
		}
		change(obj)
		return w.api.Update(ctx, obj)
	}).Should(Succeed())
}

// current reads the TarsBackend.
func (w *world) current(ctx context.Context, g Gomega) *v1alpha1.TarsBackend {
	b := named(w, &v1alpha1.TarsBackend{}, w.backend.Name)
	g.Expect(w.get(ctx, b)).To(Succeed())
	return b
}

// condition is one of the TarsBackend's that is about its current generation.
func (w *world) condition(ctx context.Context, g Gomega, kind string) metav1.Condition {
	b := w.current(ctx, g)
	c := meta.FindStatusCondition(b.Status.Conditions, kind)
	g.Expect(c).NotTo(BeNil(), "condition %s", kind)
	g.Expect(c.ObservedGeneration).To(Equal(b.Generation), "condition %s is about the current generation", kind)
	return *c
}

func (w *world) expectReady(ctx context.Context) {
	GinkgoHelper()
	w.expectReadyWithin(ctx, soon)
}

func (w *world) expectReadyWithin(ctx context.Context, limit time.Duration) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		c := w.condition(ctx, g, v1alpha1.ConditionReady)
		g.Expect(c.Status).To(Equal(metav1.ConditionTrue), "%s: %s", c.Reason, c.Message)
	}).WithTimeout(limit).Should(Succeed())
}

// expectNotReady waits until a condition has a reason, and Ready has it too.
func (w *world) expectNotReady(ctx context.Context, kind, reason string, words ...string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		c := w.condition(ctx, g, kind)
		g.Expect(c.Reason).To(Equal(reason), c.Message)
		g.Expect(c.Status).NotTo(Equal(metav1.ConditionTrue))
		for _, word := range words {
			g.Expect(c.Message).To(ContainSubstring(word))
		}
		ready := w.condition(ctx, g, v1alpha1.ConditionReady)
		g.Expect(ready.Status).NotTo(Equal(metav1.ConditionTrue))
		g.Expect(ready.Reason).To(Equal(reason), "Ready names the first thing that is wrong: %s", ready.Message)
		g.Expect(ready.Message).To(Equal(c.Message))
	}).Should(Succeed(), func() string {
		b := named(w, &v1alpha1.TarsBackend{}, w.backend.Name)
		if err := w.get(ctx, b); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%+v", b.Status.Conditions)
	})
}

func servicePort(name string, port int32) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: port}
}

func slicePort(name string, port int32) discoveryv1.EndpointPort {
	return discoveryv1.EndpointPort{Name: &name, Port: &port}
}
