// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// childKey names a child within the cluster.
type childKey struct {
	kind schema.GroupVersionKind
	name types.NamespacedName
}

func (k childKey) String() string { return k.kind.Kind + " " + k.name.String() }

// applied is what we last wrote to a child, as a hash, and what the API server
// made of it.
type applied struct {
	intent string
	object client.Object
}

// memory remembers what was applied, for two reasons: an object that is as we
// left it need not be written again, and what the API server answered is the
// truth while the cache still shows the object of before. It starts empty, so
// a new manager writes everything once, which changes nothing.
type memory struct {
	mu      sync.Mutex
	byOwner map[types.NamespacedName]map[childKey]applied
	// written are TarsBackends as the API server returned them when we wrote to
	// them.
	written map[types.NamespacedName]*v1alpha1.TarsBackend
	// failing is since when every reconcile of a TarsBackend has failed.
	failing map[types.NamespacedName]time.Time
}

func newMemory() *memory {
	return &memory{
		byOwner: map[types.NamespacedName]map[childKey]applied{},
		written: map[types.NamespacedName]*v1alpha1.TarsBackend{},
		failing: map[types.NamespacedName]time.Time{},
	}
}

// failed takes whether a reconcile failed, and says since when each has.
func (m *memory) failed(owner types.NamespacedName, now time.Time, failed bool) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !failed {
		delete(m.failing, owner)
		return now
	}
	if _, ok := m.failing[owner]; !ok {
		m.failing[owner] = now
	}
	return m.failing[owner]
}

func (m *memory) get(owner types.NamespacedName, key childKey) (applied, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.byOwner[owner][key]
	return a, ok
}

func (m *memory) put(owner types.NamespacedName, key childKey, a applied) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byOwner[owner] == nil {
		m.byOwner[owner] = map[childKey]applied{}
	}
	m.byOwner[owner][key] = a
}

// isOurChild tells whether a version of a child came of our writing to it. As with
// isOurs the cache's object takes the place of ours, unless others' labels or
// annotations are on it.
func (m *memory) isOurChild(owner types.NamespacedName, key childKey, seen client.Object) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.byOwner[owner][key]
	if !ok || a.object.GetUID() != seen.GetUID() || a.object.GetResourceVersion() != seen.GetResourceVersion() {
		return false
	}
	if len(a.object.GetLabels()) == len(seen.GetLabels()) && len(a.object.GetAnnotations()) == len(seen.GetAnnotations()) {
		m.byOwner[owner][key] = applied{intent: a.intent, object: seen}
	}
	return true
}

func (m *memory) drop(owner types.NamespacedName, key childKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byOwner[owner], key)
}

func (m *memory) forget(owner types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byOwner, owner)
	delete(m.written, owner)
	delete(m.failing, owner)
}

// wrote remembers a TarsBackend as the API server returned it.
func (m *memory) wrote(b *v1alpha1.TarsBackend) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written[client.ObjectKeyFromObject(b)] = b.DeepCopy()
}

// isOurs tells whether a version of a TarsBackend came of our writing to it. The
// cache's object then takes the place of ours: one of them is enough.
func (m *memory) isOurs(seen client.Object) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := client.ObjectKeyFromObject(seen)
	b := m.written[name]
	if b == nil || b.UID != seen.GetUID() || b.ResourceVersion != seen.GetResourceVersion() {
		return false
	}
	if cached, ok := seen.(*v1alpha1.TarsBackend); ok {
		m.written[name] = cached
	}
	return true
}

// newest is what we wrote to a TarsBackend, as long as the cache has yet to see
// it: deciding by what was before would write it all again, in vain.
func (m *memory) newest(cached *v1alpha1.TarsBackend) (*v1alpha1.TarsBackend, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.written[client.ObjectKeyFromObject(cached)]
	if b == nil {
		return cached, nil
	}
	ahead, err := newer(b, cached)
	if err != nil || !ahead {
		return cached, err
	}
	return b.DeepCopy(), nil
}

// newer says whether the remembered object is one that the cache has yet to
// see.
func newer(remembered, cached client.Object) (bool, error) {
	if remembered.GetUID() != cached.GetUID() {
		return false, nil
	}
	order, err := resourceversion.CompareResourceVersion(remembered.GetResourceVersion(), cached.GetResourceVersion())
	if err != nil {
		return false, fmt.Errorf("comparing the versions of %s: %w", client.ObjectKeyFromObject(cached), err)
	}
	return order > 0, nil
}

// touched says whether anything that we write may have changed between two
// sightings of an object. Where the API server counts generations, changes of
// status do not count.
func touched(before, now client.Object) bool {
	if before.GetUID() != now.GetUID() {
		return true
	}
	if now.GetGeneration() == 0 {
		return before.GetResourceVersion() != now.GetResourceVersion()
	}
	return before.GetGeneration() != now.GetGeneration() ||
		!contains(now.GetLabels(), before.GetLabels()) ||
		!contains(now.GetAnnotations(), before.GetAnnotations()) ||
		!slices.EqualFunc(before.GetOwnerReferences(), now.GetOwnerReferences(), sameOwner)
}

// contains says whether all has every entry of part.
func contains(all, part map[string]string) bool {
	for k, v := range part {
		if got, ok := all[k]; !ok || got != v {
			return false
		}
	}
	return true
}

func sameOwner(a, b metav1.OwnerReference) bool {
	return a.UID == b.UID && a.Kind == b.Kind && a.Name == b.Name &&
		isTrue(a.Controller) == isTrue(b.Controller) && isTrue(a.BlockOwnerDeletion) == isTrue(b.BlockOwnerDeletion)
}

func isTrue(b *bool) bool { return b != nil && *b }

// ownedOnly keeps of an answer's labels and annotations those that we wrote:
// what others add later is none of our business. The rest is as in the cache.
func ownedOnly(answer, written client.Object) {
	trim(answer)
	answer.SetLabels(onlyKeysOf(answer.GetLabels(), written.GetLabels()))
	answer.SetAnnotations(onlyKeysOf(answer.GetAnnotations(), written.GetAnnotations()))
}

func onlyKeysOf(all, keys map[string]string) map[string]string {
	kept := maps.Clone(all)
	maps.DeleteFunc(kept, func(k, _ string) bool {
		_, ok := keys[k]
		return !ok
	})
	return kept
}

// hashOf identifies what is to be written: all of an object, and so all of its intent.
func hashOf(obj client.Object) (string, error) {
	data, err := json.Marshal(obj)
	if err != nil {
		return "", fmt.Errorf("rendering an object: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
