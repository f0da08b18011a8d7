// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// ServiceAccount is the external processor's; it has no right and no token.
func ServiceAccount(b *v1alpha1.TarsBackend) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:                     typeMeta(corev1.SchemeGroupVersion, "ServiceAccount"),
		ObjectMeta:                   extProcMeta(b, ExtProcName(b)),
		AutomountServiceAccountToken: new(false),
	}
}
