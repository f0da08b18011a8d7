// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// Ports of the external processor.
const (
	grpcPort     = int32(9002)
	httpPort     = int32(9003)
	grpcPortName = "grpc"
	httpPortName = "metrics"
)

// Labels of the Envoy pods that Envoy Gateway makes.
const (
	labelComponent      = "app.kubernetes.io/component"
	envoyGateway        = "envoy-gateway"
	envoyProxyComponent = "proxy"
)

// ConfigMap holds the external processor's configuration.
func ConfigMap(b *v1alpha1.TarsBackend, data []byte, hash string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   typeMeta(corev1.SchemeGroupVersion, "ConfigMap"),
		ObjectMeta: extProcMeta(b, configMapName(b, hash)),
		Immutable:  new(true),
		Data:       map[string]string{config.FileName: string(data)},
	}
}

// ServiceAccount is the external processor's; it has no right and no token.
func ServiceAccount(b *v1alpha1.TarsBackend) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:                     typeMeta(corev1.SchemeGroupVersion, "ServiceAccount"),
		ObjectMeta:                   extProcMeta(b, extProcName(b)),
		AutomountServiceAccountToken: new(false),
	}
}

// Service is what Envoy finds the external processor by.
func Service(b *v1alpha1.TarsBackend) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   typeMeta(corev1.SchemeGroupVersion, "Service"),
		ObjectMeta: extProcMeta(b, extProcName(b)),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: podLabels(b),
			Ports: []corev1.ServicePort{
				{
					Name: grpcPortName, Protocol: corev1.ProtocolTCP, Port: grpcPort,
					TargetPort: intstr.FromString(grpcPortName), AppProtocol: new("kubernetes.io/h2c"),
				},
				{
					Name: httpPortName, Protocol: corev1.ProtocolTCP, Port: httpPort,
					TargetPort: intstr.FromString(httpPortName), AppProtocol: new("http"),
				},
			},
		},
	}
}

// PodDisruptionBudget keeps a drain of nodes from taking every replica at
// once. nil with a single replica: a budget would make its node undrainable.
func PodDisruptionBudget(b *v1alpha1.TarsBackend) *policyv1.PodDisruptionBudget {
	if replicas(b) < 2 {
		return nil
	}
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   typeMeta(policyv1.SchemeGroupVersion, "PodDisruptionBudget"),
		ObjectMeta: extProcMeta(b, extProcName(b)),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             new(intstr.FromInt32(1)),
			Selector:                   &metav1.LabelSelector{MatchLabels: podLabels(b)},
			UnhealthyPodEvictionPolicy: new(policyv1.AlwaysAllow),
		},
	}
}

// NetworkPolicy lets only Envoy Gateway's proxies, of any namespace, ask the
// external processor, anyone read its metrics, and it call nobody.
func NetworkPolicy(b *v1alpha1.TarsBackend) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		TypeMeta:   typeMeta(networkingv1.SchemeGroupVersion, "NetworkPolicy"),
		ObjectMeta: extProcMeta(b, extProcName(b)),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: podLabels(b)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{
				{
					From: []networkingv1.NetworkPolicyPeer{{
						NamespaceSelector: &metav1.LabelSelector{},
						PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{
							labelManagedBy: envoyGateway, labelComponent: envoyProxyComponent,
						}},
					}},
					Ports: []networkingv1.NetworkPolicyPort{policyPort(grpcPort)},
				},
				{Ports: []networkingv1.NetworkPolicyPort{policyPort(httpPort)}},
			},
		},
	}
}

func policyPort(port int32) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(port))}
}

// replicas is spec.extProc.replicas or its default.
func replicas(b *v1alpha1.TarsBackend) int32 {
	if b.Spec.ExtProc == nil || b.Spec.ExtProc.Replicas == nil {
		return v1alpha1.DefaultExtProcReplicas
	}
	return *b.Spec.ExtProc.Replicas
}
