// SPDX-License-Identifier: Apache-2.0

package desired

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/extproc/config"
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
