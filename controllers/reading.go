// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// How new an answer of the API server has to be (Kubernetes, "resource versions"). It
// looks into its own cache where an older one does, and asks etcd only for the newest.
const (
	// newest is what etcd has.
	newest = ""
	// atHand is what the API server has at hand, and may be a moment old.
	atHand = "0"
)

// notOlder asks for an object as it was at a resourceVersion or later.
func notOlder(version string) client.GetOption {
	return &client.GetOptions{Raw: &metav1.GetOptions{ResourceVersion: version}}
}

// values reads Secrets and ConfigMaps whole from the API server, at least as new as the
// version of which the cache of their metadata has told us.
type values struct {
	told   client.Client
	direct client.Reader
}

// Get implements Getter.
func (v values) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	kind, err := apiutil.GVKForObject(obj, v.told.Scheme())
	if err != nil {
		return fmt.Errorf("finding the kind of %s: %w", key, err)
	}
	seen := metadataOf(kind)
	if err := v.told.Get(ctx, key, seen); err == nil {
		opts = append(opts, notOlder(seen.GetResourceVersion()))
	}
	return v.direct.Get(ctx, key, obj, opts...)
}
