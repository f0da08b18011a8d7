// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/canary"
)

// Indexes of the cache: by them an event finds the TarsBackends that it is
// about without a look at all of them. Values are "<namespace>/<name>".
const (
	// indexSecret finds TarsBackends by their source Secret.
	indexSecret = "spec.credential.secretRef"
	// indexCA finds TarsBackends by their CA's ConfigMap.
	indexCA = "spec.endpoint.tls.validation.caCertificateRefs"
	// indexGateway finds TarsBackends by their Gateways.
	indexGateway = "spec.parentRefs"
	// indexPath finds TarsBackends by a Gateway and their path: "<gateway> <path>".
	indexPath = "spec.pathPrefix"
	// indexClass finds Gateways by the name of their class.
	indexClass = "spec.gatewayClassName"
	// indexGatewayOfService finds the Services of Envoys by whose they are.
	indexGatewayOfService = "gatewayOfService"
	// indexServiceOfSlice finds EndpointSlices by their Service.
	indexServiceOfSlice = "serviceOfEndpointSlice"
)

// indexStatic adds the indexes that every cluster can serve.
func indexStatic(ctx context.Context, indexer client.FieldIndexer) error {
	for _, one := range []struct {
		obj   client.Object
		field string
		f     client.IndexerFunc
	}{
		{&v1alpha1.TarsBackend{}, indexSecret, secretOf},
		{&v1alpha1.TarsBackend{}, indexCA, casOf},
		{&v1alpha1.TarsBackend{}, indexGateway, gatewaysOf},
		{&v1alpha1.TarsBackend{}, indexPath, pathsOf},
		{&corev1.Service{}, indexGatewayOfService, gatewayOfService},
		{&discoveryv1.EndpointSlice{}, indexServiceOfSlice, serviceOfSlice},
	} {
		if err := indexer.IndexField(ctx, one.obj, one.field, one.f); err != nil {
			return fmt.Errorf("indexing %T by %s: %w", one.obj, one.field, err)
		}
	}
	return nil
}

// indexPlatform adds the indexes that need the Gateway API.
func indexPlatform(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &gatewayv1.Gateway{}, indexClass, classOf); err != nil {
		return fmt.Errorf("indexing Gateways by %s: %w", indexClass, err)
	}
	return nil
}

func secretOf(obj client.Object) []string {
	b, ok := obj.(*v1alpha1.TarsBackend)
	if !ok {
		return nil
	}
	return []string{types.NamespacedName{Namespace: b.Namespace, Name: b.Spec.Credential.SecretRef.Name}.String()}
}

func casOf(obj client.Object) []string {
	b, ok := obj.(*v1alpha1.TarsBackend)
	if !ok {
		return nil
	}
	var values []string
	for _, name := range caRefs(b) {
		values = append(values, types.NamespacedName{Namespace: b.Namespace, Name: name}.String())
	}
	return values
}

func gatewaysOf(obj client.Object) []string {
	b, ok := obj.(*v1alpha1.TarsBackend)
	if !ok {
		return nil
	}
	var values []string
	for _, ref := range b.Spec.ParentRefs {
		complete := completeRef(ref, b.Namespace)
		values = append(values, types.NamespacedName{Namespace: string(*complete.Namespace), Name: string(complete.Name)}.String())
	}
	return values
}

// pathsOf are a TarsBackend's path at each of its Gateways.
func pathsOf(obj client.Object) []string {
	b, ok := obj.(*v1alpha1.TarsBackend)
	if !ok {
		return nil
	}
	var values []string
	for _, gateway := range gatewaysOf(b) {
		values = append(values, pathAt(gateway, b.Spec.PathPrefix))
	}
	return values
}

func pathAt(gateway, path string) string { return gateway + " " + path }

func classOf(obj client.Object) []string {
	g, ok := obj.(*gatewayv1.Gateway)
	if !ok {
		return nil
	}
	return []string{string(g.Spec.GatewayClassName)}
}

// gatewayOfService reads the labels by which Envoy Gateway says whose Envoys a
// Service leads to.
func gatewayOfService(obj client.Object) []string {
	labels := obj.GetLabels()
	if name := labels[canary.LabelOwningGatewayName]; name != "" {
		return []string{ownerIsGateway(labels[canary.LabelOwningGatewayNamespace], name)}
	}
	if class := labels[canary.LabelOwningGatewayClass]; class != "" {
		return []string{ownerIsClass(class)}
	}
	return nil
}

func ownerIsGateway(namespace, name string) string { return "gateway/" + namespace + "/" + name }

func ownerIsClass(name string) string { return "class/" + name }

func serviceOfSlice(obj client.Object) []string {
	service := obj.GetLabels()[discoveryv1.LabelServiceName]
	if service == "" {
		return nil
	}
	return []string{types.NamespacedName{Namespace: obj.GetNamespace(), Name: service}.String()}
}
