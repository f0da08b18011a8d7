// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// Ports of the external processor.
const (
	grpcPort     = int32(9002)
	httpPort     = int32(9003)
	grpcPortName = "grpc"
	httpPortName = "metrics"
)

// Service is what Envoy finds the external processor by.
func Service(b *v1alpha1.TarsBackend) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   typeMeta(corev1.SchemeGroupVersion, "Service"),
		ObjectMeta: extProcMeta(b, ExtProcName(b)),
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
