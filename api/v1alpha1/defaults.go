// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Tuning defaults: what a field means while it is unspecified. They are not
// CRD defaults, so that a release may improve them for existing objects.
const (
	// DefaultVerificationInterval is that of spec.credential.verification.interval.
	DefaultVerificationInterval = 10 * time.Minute
	// DefaultConnectTimeout is that of spec.timeouts.connect.
	DefaultConnectTimeout = 10 * time.Second
	// DefaultStreamIdleTimeout is that of spec.timeouts.streamIdle.
	DefaultStreamIdleTimeout = 10 * time.Minute
	// DefaultRequestTimeout is that of spec.timeouts.request: no bound.
	DefaultRequestTimeout = time.Duration(0)
	// DefaultRetryAttempts is that of spec.retry.attempts.
	DefaultRetryAttempts = int32(1)
	// DefaultRetryCode is the only one of spec.retry.codes.
	DefaultRetryCode = 503
	// DefaultMaxRequestBytes is that of spec.requestBody.maxSize.
	DefaultMaxRequestBytes = int64(32 << 20)
	// DefaultExtProcReplicas is that of spec.extProc.replicas.
	DefaultExtProcReplicas = int32(2)
	// DefaultDrainTimeout is that of spec.extProc.drainTimeout.
	DefaultDrainTimeout = 10 * time.Minute
)

// DefaultExtProcResources is that of spec.extProc.resources.
func DefaultExtProcResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("50m"),
			corev1.ResourceMemory: resource.MustParse("64Mi"),
		},
		Limits: corev1.ResourceList{
			corev1.ResourceMemory: resource.MustParse("256Mi"),
		},
	}
}
