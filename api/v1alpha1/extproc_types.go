// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// ExtProc configures the external processor: the Deployment that Envoy asks
// about every request of this backend.
type ExtProc struct {
	// replicas is the number of pods. When unspecified, 2.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Replicas *int32 `json:"replicas,omitempty"`

	// resources of the container. When unspecified, requests of 50m CPU and
	// 64Mi memory and a memory limit of 256Mi. The memory limit also bounds
	// the request bytes held at once; beyond it requests are answered 503.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.claims)",message="extProc.resources.claims is not supported: the external processor uses no devices"
	// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !('memory' in self.limits) || (type(self.limits['memory']) == int ? self.limits['memory'] >= 33554432 : (!isQuantity(self.limits['memory']) || !quantity(self.limits['memory']).isLessThan(quantity('32Mi'))))",message="extProc.resources.limits.memory must be at least 32Mi: write for example 256Mi"
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// drainTimeout is how long a request in flight may outlive the end of its
	// pod. When unspecified, 10m.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') && duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="extProc.drainTimeout must be a duration between 1s and 1h: write for example 10m"
	DrainTimeout *gatewayv1.Duration `json:"drainTimeout,omitempty"`

	// podTemplate adds to the pods.
	//
	// +optional
	PodTemplate *ExtProcPodTemplate `json:"podTemplate,omitempty"`
}

// ExtProcPodTemplate adds to the external processor's pods. What the operator
// itself sets (security context, ports, probes, volumes, its own labels) wins.
type ExtProcPodTemplate struct {
	// metadata adds labels and annotations.
	//
	// +optional
	Metadata *PodMetadata `json:"metadata,omitempty"`

	// imagePullSecrets names Secrets for pulling the image. When unspecified or
	// empty, those that the installation names (extProc.imagePullSecrets of the
	// chart) are looked for in this namespace.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(s, size(s.name) > 0 && size(s.name) <= 253)",message="an imagePullSecret must have a name of at most 253 characters"
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// nodeSelector restricts the nodes.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !format.qualifiedName().validate(k).hasValue())",message="nodeSelector must have keys like example.com/name: letters, digits, '-', '_' and '.', at most 63 characters after an optional DNS prefix"
	NodeSelector map[string]gatewayv1.LabelValue `json:"nodeSelector,omitempty"`

	// tolerations let the pods run on tainted nodes.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity of the pods. When unspecified, replicas prefer different nodes.
	//
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// priorityClassName of the pods.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// env adds environment variables with plain values. Variables that would
	// send traffic elsewhere or record its content (proxy settings,
	// SSL_CERT_*, GODEBUG, OTEL_EXPORTER_OTLP_HEADERS, content capture) are
	// refused.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Env []EnvVar `json:"env,omitempty"`
}

// PodMetadata adds labels and annotations to a pod.
type PodMetadata struct {
	// labels to add.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !format.qualifiedName().validate(k).hasValue())",message="labels must have keys like example.com/name: letters, digits, '-', '_' and '.', at most 63 characters after an optional DNS prefix"
	Labels map[string]gatewayv1.LabelValue `json:"labels,omitempty"`

	// annotations to add.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !format.qualifiedName().validate(k).hasValue())",message="annotations must have keys like example.com/name: letters, digits, '-', '_' and '.', at most 63 characters after an optional DNS prefix"
	Annotations map[string]gatewayv1.AnnotationValue `json:"annotations,omitempty"`
}

// EnvVar is an environment variable with a plain value.
type EnvVar struct {
	// name of the variable.
	//
	// +required
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",message="an environment variable's name holds letters, digits and '_' and does not begin with a digit"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(?i)^(https?_proxy|no_proxy|all_proxy|ssl_cert_.*|godebug|gotraceback|grpc_binary_log_filter|ld_.*|.*_headers|.*capture_message_content.*)$')",message="this variable is refused: it could send traffic elsewhere or record its content"
	// +kubebuilder:validation:XValidation:rule="!(self in ['POD_NAME', 'EXTPROC_MEMORY_LIMIT'])",message="this variable is refused: the operator sets it"
	Name string `json:"name,omitempty"`

	// value of the variable.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value,omitempty"`
}
