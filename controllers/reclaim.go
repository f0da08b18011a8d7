// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// reclaim takes out of a child what others added to it, and says whether there
// was anything. Server-side apply alone would leave fields that we do not
// write, and some of those undo what we do: hostnames on the HTTPRoute, fault
// injection in the policy, a paused Deployment.
//
// It makes the foreign fields ours, so that the next apply, which does not
// name them, removes them. Metadata is everybody's and stays.
func (r *TarsBackendReconciler) reclaim(ctx context.Context, key childKey, answer client.Object) (bool, error) {
	entries, err := withoutForeign(answer.GetManagedFields(), key.kind)
	if err != nil {
		return false, fmt.Errorf("reading who owns the fields of %s: %w", key, err)
	}
	if entries == nil {
		return false, nil
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": answer.GetResourceVersion()},
	})
	if err != nil {
		return false, fmt.Errorf("rendering who owns the fields of %s: %w", key, err)
	}
	target, err := emptyOf(r.client.Scheme(), key.kind)
	if err != nil {
		return false, err
	}
	target.SetNamespace(key.name.Namespace)
	target.SetName(key.name.Name)
	err = r.client.Patch(ctx, target, client.RawPatch(types.JSONPatchType, patch), FieldOwner)
	return true, attempt(err, "taking foreign fields out of %s", key)
}

// withoutForeign moves what others own outside metadata into our own entry of
// the managed fields; nil where they own nothing there.
func withoutForeign(entries []metav1.ManagedFieldsEntry, kind schema.GroupVersionKind) ([]metav1.ManagedFieldsEntry, error) {
	var kept []metav1.ManagedFieldsEntry
	ours := -1
	taken := fieldpath.NewSet()
	for _, e := range entries {
		if e.Subresource != "" || e.FieldsV1 == nil {
			kept = append(kept, e)
			continue
		}
		if e.Manager == string(FieldOwner) && e.Operation == metav1.ManagedFieldsOperationApply {
			ours = len(kept)
			kept = append(kept, e)
			continue
		}
		owned, err := fieldsOf(e)
		if err != nil {
			return nil, err
		}
		rest := fieldpath.NewSet()
		for path := range owned.All() {
			if mayBeForeign(kind, path) {
				rest.Insert(path.Copy())
			} else {
				taken.Insert(path.Copy())
			}
		}
		if !rest.Empty() {
			if err := setFields(&e, rest); err != nil {
				return nil, err
			}
			kept = append(kept, e)
		}
	}
	if taken.Empty() || ours < 0 {
		return nil, nil
	}
	mine, err := fieldsOf(kept[ours])
	if err != nil {
		return nil, err
	}
	return kept, setFields(&kept[ours], mine.Union(taken))
}

// mayBeForeign says which fields others may set on our children: metadata, a
// ServiceAccount's lists, which platforms fill in, and the metadata of pods,
// where "kubectl rollout restart" leaves its mark.
func mayBeForeign(kind schema.GroupVersionKind, path fieldpath.Path) bool {
	under := func(names ...string) bool {
		if len(path) < len(names) {
			return false
		}
		for i, name := range names {
			if path[i].FieldName == nil || *path[i].FieldName != name {
				return false
			}
		}
		return true
	}
	switch kind.Kind {
	case "ServiceAccount":
		return true
	case kindDeployment.Kind:
		return under("metadata") || under("spec", "template", "metadata")
	default:
		return under("metadata")
	}
}

func fieldsOf(e metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := fieldpath.NewSet()
	if err := set.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())); err != nil {
		return nil, fmt.Errorf("parsing the fields of %s: %w", e.Manager, err)
	}
	return set, nil
}

func setFields(e *metav1.ManagedFieldsEntry, set *fieldpath.Set) error {
	data, err := set.ToJSON()
	if err != nil {
		return fmt.Errorf("rendering the fields of %s: %w", e.Manager, err)
	}
	e.FieldsV1 = &metav1.FieldsV1{}
	e.FieldsV1.SetRawBytes(data)
	return nil
}
