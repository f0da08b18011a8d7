// SPDX-License-Identifier: Apache-2.0

package desired

import (
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// PodDisruptionBudget keeps a drain of nodes from taking every replica at
// once. nil with a single replica: a budget would make its node undrainable.
func PodDisruptionBudget(b *v1alpha1.TarsBackend) *policyv1.PodDisruptionBudget {
	if replicas(b) < 2 {
		return nil
	}
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   typeMeta(policyv1.SchemeGroupVersion, "PodDisruptionBudget"),
		ObjectMeta: extProcMeta(b, ExtProcName(b)),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             new(intstr.FromInt32(1)),
			Selector:                   &metav1.LabelSelector{MatchLabels: podLabels(b)},
			UnhealthyPodEvictionPolicy: new(policyv1.AlwaysAllow),
		},
	}
}
