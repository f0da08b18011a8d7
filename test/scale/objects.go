// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/canary"
)

const (
	// class is the one GatewayClass, gateway the Gateway in each namespace.
	class   = "eg"
	gateway = "gw"
	// envoyAddress and envoyPort are the stub's (hack/scale.sh).
	envoyAddress = "192.0.2.7"
	envoyPort    = 10080
	servicePort  = 80
	// writers create objects at one time, as a pipeline would.
	writers = 8
)

// place is where the n-th TarsBackend is.
func (o options) place(n int) client.ObjectKey {
	return client.ObjectKey{Namespace: fmt.Sprintf("team-%03d", n%o.namespaces), Name: fmt.Sprintf("tars-%04d", n)}
}

// prepare creates what is there before the first TarsBackend.
func (c *cluster) prepare(ctx context.Context, o options) error {
	if err := createAll(ctx, c.api, &gatewayv1.GatewayClass{
		ObjectMeta: metav1.ObjectMeta{Name: class}, Spec: gatewayv1.GatewayClassSpec{ControllerName: egController},
	}); err != nil {
		return err
	}
	if err := parallel(ctx, o.namespaces, func(ctx context.Context, n int) error {
		return createAll(ctx, c.api, namespaceObjects(o.place(n).Namespace)...)
	}); err != nil {
		return err
	}
	return parallel(ctx, o.backends, func(ctx context.Context, n int) error { return createAll(ctx, c.api, secret(o.place(n))) })
}

// parallel does something n times.
func parallel(ctx context.Context, n int, do func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(writers)
	for i := range n {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

// namespaceObjects are a namespace with a Gateway, its Envoy and the Service in front.
func namespaceObjects(name string) []client.Object {
	meta := func(object string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: name, Name: object} }
	labels := map[string]string{
		"app.kubernetes.io/managed-by":     "envoy-gateway",
		canary.LabelOwningGatewayName:      gateway,
		canary.LabelOwningGatewayNamespace: name,
	}
	service := &corev1.Service{ObjectMeta: meta("envoy"), Spec: corev1.ServiceSpec{
		Ports: []corev1.ServicePort{{Name: "http-80", Port: servicePort}},
	}}
	service.Labels = labels
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: meta("envoy-1"), AddressType: discoveryv1.AddressTypeIPv4,
		Ports: []discoveryv1.EndpointPort{{Name: new("http-80"), Port: new(int32(envoyPort))}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{envoyAddress}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: name, Name: "envoy-1"},
		}},
	}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: "envoy"}
	maps.Copy(slice.Labels, labels)
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}},
		&gatewayv1.Gateway{ObjectMeta: meta(gateway), Spec: gatewayv1.GatewaySpec{
			GatewayClassName: class,
			Listeners:        []gatewayv1.Listener{{Name: "http", Port: servicePort, Protocol: gatewayv1.HTTPProtocolType}},
		}},
		service, slice,
	}
}

func secret(place client.ObjectKey) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: place.Namespace, Name: place.Name + "-key"},
		Data:       map[string][]byte{"apiKey": []byte("sk-" + place.Name)},
	}
}

func backend(place client.ObjectKey) *v1alpha1.TarsBackend {
	return &v1alpha1.TarsBackend{
		ObjectMeta: metav1.ObjectMeta{Namespace: place.Namespace, Name: place.Name},
		Spec: v1alpha1.TarsBackendSpec{
			ParentRefs: []gatewayv1.ParentReference{{Name: gateway}},
			PathPrefix: "/" + place.Name,
			Credential: v1alpha1.Credential{SecretRef: v1alpha1.SecretKeyReference{Name: place.Name + "-key"}},
		},
	}
}

// apply creates the TarsBackends.
func (c *cluster) apply(ctx context.Context, o options) error {
	return parallel(ctx, o.backends, func(ctx context.Context, n int) error { return createAll(ctx, c.api, backend(o.place(n))) })
}
