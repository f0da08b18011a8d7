// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"maps"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// Labels on every child.
const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	labelPartOf    = "app.kubernetes.io/part-of"
	labelName      = "app.kubernetes.io/name"
	labelOwner     = "gateway.tars.dev/tarsbackend"
	labelOwnerUID  = "gateway.tars.dev/tarsbackend-uid"

	manager         = "tars-operator"
	extProcApp      = "tars-extproc"
	kindTarsBackend = "TarsBackend"
)

// gatewayVersion is Gateway API's group and version.
var gatewayVersion = schema.GroupVersion(gatewayv1.GroupVersion)

// Kinds are the kinds of all objects that Build may ever make.
func Kinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Secret"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"),
		corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		corev1.SchemeGroupVersion.WithKind("Service"),
		appsv1.SchemeGroupVersion.WithKind("Deployment"),
		policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"),
		networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"),
		egv1a1.GroupVersion.WithKind("Backend"),
		egv1a1.GroupVersion.WithKind("HTTPRouteFilter"),
		egv1a1.GroupVersion.WithKind("EnvoyExtensionPolicy"),
		egv1a1.GroupVersion.WithKind("BackendTrafficPolicy"),
		gatewayVersion.WithKind("HTTPRoute"),
	}
}

// SelectorLabels find the children of one TarsBackend.
func SelectorLabels(b *v1alpha1.TarsBackend) map[string]string {
	return map[string]string{labelManagedBy: manager, labelOwner: cut(b.Name, maxName)}
}

// IsChild tells whether an object has the label that all children have.
func IsChild(obj metav1.Object) bool { return obj.GetLabels()[labelManagedBy] == manager }

// meta is the metadata of a child.
func meta(b *v1alpha1.TarsBackend, name string) metav1.ObjectMeta {
	labels := SelectorLabels(b)
	labels[labelPartOf] = manager
	yes := true
	return metav1.ObjectMeta{
		Name:      name,
		Namespace: b.Namespace,
		Labels:    labels,
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion:         v1alpha1.SchemeGroupVersion.String(),
			Kind:               kindTarsBackend,
			Name:               b.Name,
			UID:                b.UID,
			Controller:         &yes,
			BlockOwnerDeletion: &yes,
		}},
	}
}

// extProcMeta is the metadata of an object of the external processor.
func extProcMeta(b *v1alpha1.TarsBackend, name string) metav1.ObjectMeta {
	m := meta(b, name)
	maps.Copy(m.Labels, podLabels(b))
	return m
}

// podLabels select the external processor's pods, and none of a TarsBackend
// that had the same name before: its pods outlive it by minutes, and serve its
// configuration.
func podLabels(b *v1alpha1.TarsBackend) map[string]string {
	labels := SelectorLabels(b)
	labels[labelName] = extProcApp
	labels[labelOwnerUID] = string(b.UID)
	return labels
}

// typeMeta is that of a kind.
func typeMeta(gv schema.GroupVersion, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: gv.String(), Kind: kind}
}
