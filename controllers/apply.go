// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// build computes the children. Of those that exist it keeps what is not to change in passing:
// the HTTPRoute's hash, which commit alone changes, and the EnvoyExtensionPolicy's buffers.
func (r *TarsBackendReconciler) build(ctx context.Context, s *scope) (bool, error) {
	name := desired.RouteName(s.backend)
	route, err := liveAs[*gatewayv1.HTTPRoute](ctx, r, s, childKeyIn(s, kindHTTPRoute, name))
	if err != nil {
		return false, err
	}
	hash := ""
	if route != nil {
		hash = desired.AnnouncedHash(route)
	}
	s.policy, err = liveAs[*egv1a1.EnvoyExtensionPolicy](ctx, r, s, childKeyIn(s, kindExtension, name))
	if err != nil {
		return false, err
	}
	if err := r.buildWith(s, ServedParents(s.seen.Parents), hash); err != nil {
		return false, err
	}
	s.seen.ConfigHash, s.seen.RouteHash = s.objects.ConfigHash, s.objects.RouteHash
	return true, nil
}

func (r *TarsBackendReconciler) buildWith(s *scope, parents []gatewayv1.ParentReference, routeHash string) error {
	objects, err := desired.Build(desired.Input{
		Backend:                 s.backend,
		Parents:                 parents,
		Key:                     s.key,
		RouteHash:               routeHash,
		ExtensionPolicy:         s.policy,
		ExtProcImage:            r.settings.ExtProcImage,
		ExtProcImagePullPolicy:  r.settings.ExtProcImagePullPolicy,
		ExtProcImagePullSecrets: r.settings.ExtProcImagePullSecrets,
	})
	if err != nil {
		return fmt.Errorf("building the children: %w", err)
	}
	s.objects = objects
	return nil
}

// route is the HTTPRoute among the desired objects: the last one.
func (s *scope) route() client.Object {
	return s.objects.Ordered[len(s.objects.Ordered)-1]
}

// apply writes every child that is not as it should be, the HTTPRoute last.
// Nothing is written while someone else has the name of one of them.
func (r *TarsBackendReconciler) apply(ctx context.Context, s *scope) (bool, error) {
	if err := r.addFinalizer(ctx, s); err != nil {
		return false, err
	}
	present := make([]client.Object, len(s.objects.Ordered))
	for i, obj := range s.objects.Ordered {
		key, err := r.keyOfChild(obj)
		if err != nil {
			return false, err
		}
		present[i], err = r.live(ctx, s.name(), key)
		if err == nil && present[i] != nil && !metav1.IsControlledBy(present[i], s.backend) {
			present[i], err = r.readDirectly(ctx, s.name(), key, newest) // it may be gone already
		}
		if err != nil {
			return false, err
		}
		if present[i] != nil && !metav1.IsControlledBy(present[i], s.backend) {
			s.seen.Conflicts = append(s.seen.Conflicts, nameConflict(key, s.backend))
		}
	}
	if len(s.seen.Conflicts) > 0 {
		// An error, because objects that are not ours are not watched: only
		// another look can find out that they went away.
		return false, &nameTakenError{first: s.seen.Conflicts[0].Message}
	}
	if present[len(present)-1] == nil {
		r.warnOfDrain(ctx, s.backend, s.seen.Parents)
	}
	for i, obj := range s.objects.Ordered {
		if err := r.applyOne(ctx, s, obj, present[i]); err != nil {
			return false, err
		}
	}
	s.seen.Applied = true
	s.seen.CredentialFingerprint = desired.CredentialFingerprint(s.key)
	return true, nil
}

// rotate writes a new key where an old one is in use, although something else
// keeps the children from being applied: the old key may not be valid any more.
func (r *TarsBackendReconciler) rotate(ctx context.Context, s *scope) error {
	if s.key == "" {
		return nil
	}
	key := childKeyIn(s, kindSecret, desired.CredentialSecretName(s.backend))
	present, err := r.live(ctx, s.name(), key)
	if err != nil || present == nil || !metav1.IsControlledBy(present, s.backend) {
		return err
	}
	// The parents do not matter: of what is built only the Secret is applied.
	if err := r.buildWith(s, s.backend.Spec.ParentRefs, ""); err != nil {
		return err
	}
	for _, obj := range s.objects.Ordered {
		if secret, ok := obj.(*corev1.Secret); ok && secret.Name == key.name.Name {
			if err := r.applyOne(ctx, s, secret, present); err != nil {
				return err
			}
			s.seen.CredentialFingerprint = desired.CredentialFingerprint(s.key)
		}
	}
	return nil
}

// nameTakenError has us look again, with growing pauses.
type nameTakenError struct{ first string }

func (e *nameTakenError) Error() string { return e.first }

func nameConflict(key childKey, b *v1alpha1.TarsBackend) conditions.Finding {
	return conditions.Finding{
		Reason: v1alpha1.ReasonNameConflict,
		Message: fmt.Sprintf("%s exists and does not belong to TarsBackend %s/%s, so it is left alone and nothing is applied: "+
			"delete or rename it, or give the TarsBackend another name", key, b.Namespace, b.Name),
	}
}

// applyOne writes a child, unless it is as we left it and should stay so.
func (r *TarsBackendReconciler) applyOne(ctx context.Context, s *scope, obj, present client.Object) error {
	key, err := r.keyOfChild(obj)
	if err != nil {
		return err
	}
	intent, err := hashOf(obj)
	if err != nil {
		return err
	}
	before, remembered := r.memory.get(s.name(), key)
	if present != nil && remembered && before.intent == intent && !touched(before.object, present) {
		return nil
	}
	body, err := IntentOf(obj, key.kind)
	if err != nil {
		return err
	}
	data, err := onlyNew(body)
	if present != nil {
		data, err = onlyFor(present, body)
	}
	if err != nil {
		return err
	}
	answer, err := r.send(ctx, key, data)
	if err != nil {
		return err
	}
	reclaimed, err := r.reclaim(ctx, key, answer)
	if err != nil {
		return err
	}
	if reclaimed {
		if data, err = onlyFor(answer, body); err != nil {
			return err
		}
		if answer, err = r.send(ctx, key, data); err != nil {
			return err
		}
	}
	ownedOnly(answer, obj)
	r.memory.put(s.name(), key, applied{intent: intent, object: answer})
	return nil
}

// onlyFor is a body that the API server takes for this very object alone: what
// someone else made under the name meanwhile must not become ours.
func onlyFor(present client.Object, body map[string]any) ([]byte, error) {
	return identified(body, map[string]any{"uid": string(present.GetUID())})
}

// versionOfNone is a resourceVersion that no object has: of the empty store.
const versionOfNone = "1"

// onlyNew is a body that the API server takes only where nothing has the name: what
// exists has another version, which is a conflict (Kubernetes, server-side apply).
func onlyNew(body map[string]any) ([]byte, error) {
	return identified(body, map[string]any{"resourceVersion": versionOfNone})
}

// identified is a body with more metadata.
func identified(body, more map[string]any) ([]byte, error) {
	body = maps.Clone(body)
	if metadata, ok := body["metadata"].(map[string]any); ok {
		metadata = maps.Clone(metadata)
		maps.Copy(metadata, more)
		body["metadata"] = metadata
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("rendering an object: %w", err)
	}
	return data, nil
}

// send applies a body and returns the API server's answer.
func (r *TarsBackendReconciler) send(ctx context.Context, key childKey, body []byte) (client.Object, error) {
	answer, err := emptyOf(r.client.Scheme(), key.kind)
	if err != nil {
		return nil, err
	}
	answer.SetNamespace(key.name.Namespace)
	answer.SetName(key.name.Name)
	err = r.client.Patch(ctx, answer, client.RawPatch(types.ApplyPatchType, body), FieldOwner, client.ForceOwnership)
	if key.kind == kindSecret {
		return answer, attemptWithSecret(err, "applying %s", key)
	}
	return answer, attempt(err, "applying %s", key)
}

// IntentOf is what is sent to apply a child. It reduces the object to what we
// have an opinion on: its identity, our labels, annotations and owner, and the
// kind's own fields. Status and nulls (a creationTimestamp, say) would
// otherwise become ours.
func IntentOf(obj client.Object, kind schema.GroupVersionKind) (map[string]any, error) {
	body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("converting %s %s: %w", kind.Kind, client.ObjectKeyFromObject(obj), err)
	}
	delete(body, "status")
	dropNulls(body)
	meta, ok := body["metadata"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("converting %s %s: it has no metadata", kind.Kind, client.ObjectKeyFromObject(obj))
	}
	kept := map[string]any{}
	for _, field := range []string{"name", "namespace", "labels", "annotations", "ownerReferences"} {
		if value, ok := meta[field]; ok {
			kept[field] = value
		}
	}
	body["metadata"] = kept
	body["apiVersion"], body["kind"] = kind.ToAPIVersionAndKind()
	return body, nil
}

// dropNulls removes null fields at any depth.
func dropNulls(value any) {
	switch v := value.(type) {
	case map[string]any:
		for k, field := range v {
			if field == nil {
				delete(v, k)
				continue
			}
			dropNulls(field)
		}
	case []any:
		for _, item := range v {
			dropNulls(item)
		}
	}
}

// commit gives the HTTPRoute the hash of all children, once Envoy Gateway has
// accepted each of them at its generation: a canary that sees this hash in an
// Envoy has seen all of them.
func (r *TarsBackendReconciler) commit(ctx context.Context, s *scope) (bool, error) {
	if s.seen.Route == nil || desired.AnnouncedHash(s.seen.Route) == s.objects.RouteHash {
		return s.seen.Route != nil, nil
	}
	if !conditions.ChildrenAccepted(s.seen) {
		return false, nil
	}
	if err := r.buildWith(s, ServedParents(s.seen.Parents), s.objects.RouteHash); err != nil {
		return false, err
	}
	if err := r.applyOne(ctx, s, s.route(), s.seen.Route); err != nil {
		return false, err
	}
	route, err := liveAs[*gatewayv1.HTTPRoute](ctx, r, s, childKeyIn(s, kindHTTPRoute, s.route().GetName()))
	s.seen.Route = route
	return route != nil, err
}

// addFinalizer makes sure that a deletion waits for us, before there is
// anything that could be deleted in the wrong order.
func (r *TarsBackendReconciler) addFinalizer(ctx context.Context, s *scope) error {
	if slices.Contains(s.backend.Finalizers, v1alpha1.Finalizer) {
		return nil
	}
	changed := s.backend.DeepCopy()
	changed.Finalizers = append(changed.Finalizers, v1alpha1.Finalizer)
	patch := client.MergeFromWithOptions(s.backend, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, changed, patch, FieldOwner); err != nil {
		return attempt(err, "adding the finalizer")
	}
	r.memory.wrote(changed)
	s.backend = changed
	s.seen.Backend = changed
	return nil
}
