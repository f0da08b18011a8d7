// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// Labels of the Envoy pods that Envoy Gateway makes.
const (
	labelComponent      = "app.kubernetes.io/component"
	envoyGateway        = "envoy-gateway"
	envoyProxyComponent = "proxy"
)

// NetworkPolicy lets only Envoy Gateway's proxies, of any namespace, ask the
// external processor, and anyone read its metrics. It calls nobody, but for the
// collector of traces that its environment names.
func NetworkPolicy(b *v1alpha1.TarsBackend) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		TypeMeta:   typeMeta(networkingv1.SchemeGroupVersion, "NetworkPolicy"),
		ObjectMeta: extProcMeta(b, ExtProcName(b)),
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
					Ports: []networkingv1.NetworkPolicyPort{policyPort(corev1.ProtocolTCP, grpcPort)},
				},
				{Ports: []networkingv1.NetworkPolicyPort{policyPort(corev1.ProtocolTCP, httpPort)}},
			},
			Egress: collectorEgress(userTemplate(b).Env),
		},
	}
}

func policyPort(protocol corev1.Protocol, port int32) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: new(intstr.FromInt32(port))}
}
