// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// prune deletes the children that are no longer desired: ours by label and by
// owner, of the kinds that we ever make.
func (r *TarsBackendReconciler) prune(ctx context.Context, s *scope) (bool, error) {
	wanted := map[childKey]bool{}
	for _, obj := range s.objects.Ordered {
		key, err := r.keyOfChild(obj)
		if err != nil {
			return false, err
		}
		wanted[key] = true
	}
	for _, kind := range desired.Kinds() {
		existing, err := r.mine(ctx, s.backend, kind)
		if err != nil {
			return false, err
		}
		for _, obj := range existing {
			key := childKey{kind: kind, name: client.ObjectKeyFromObject(obj)}
			if wanted[key] {
				continue
			}
			if err := r.pruneOne(ctx, s, key, obj); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

func (r *TarsBackendReconciler) pruneOne(ctx context.Context, s *scope, key childKey, obj client.Object) error {
	if key.kind == kindConfigMap {
		needed, err := r.configurationInUse(ctx, s, obj.GetName())
		if needed || err != nil {
			return err
		}
	}
	return r.remove(ctx, s.name(), key, obj)
}

// configurationInUse says whether a pod runs with an older configuration, or
// may be made for it: without its ConfigMap a restarted one could not mount
// its volume and would hang. The EndpointSlices of the external processor wake
// us when such a pod is gone.
func (r *TarsBackendReconciler) configurationInUse(ctx context.Context, s *scope, name string) (bool, error) {
	ours := client.MatchingLabels(desired.SelectorLabels(s.backend))
	names := func(annotations map[string]string) bool {
		hash := annotations[v1alpha1.AnnotationConfigHash]
		return hash != "" && strings.HasSuffix(name, "-"+hash)
	}
	sets := &appsv1.ReplicaSetList{}
	if err := r.direct.List(ctx, sets, client.InNamespace(s.backend.Namespace), ours); err != nil {
		return false, attempt(err, "listing ReplicaSets")
	}
	for i := range sets.Items {
		set := &sets.Items[i]
		wants := ptr.Deref(set.Spec.Replicas, 1) > 0 || set.Status.Replicas > 0
		if wants && names(set.Spec.Template.Annotations) {
			return true, nil
		}
	}
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(kindPod.GroupVersion().WithKind("PodList"))
	if err := r.direct.List(ctx, pods, client.InNamespace(s.backend.Namespace), ours); err != nil {
		return false, attempt(err, "listing Pods")
	}
	for i := range pods.Items {
		if names(pods.Items[i].Annotations) {
			return true, nil
		}
	}
	return false, nil
}
