// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// notOurWrite lets every event of a TarsBackend pass but the echo of what we wrote to
// it: the reconcile that wrote it has nothing to learn from it.
func (m *memory) notOurWrite() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return !m.isOurs(e.ObjectNew) }}
}

// notOurChild does so for the children of a kind. Its first sight passes where the
// API server's answer to our write is on its way still.
func (m *memory) notOurChild(kindOf func(client.Object) (childKey, error)) predicate.Predicate {
	ours := func(obj client.Object) bool {
		owner := metav1.GetControllerOf(obj)
		key, err := kindOf(obj)
		if owner == nil || err != nil {
			return false
		}
		return m.isOurChild(types.NamespacedName{Namespace: obj.GetNamespace(), Name: owner.Name}, key, obj)
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return !ours(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool { return !ours(e.ObjectNew) },
	}
}
