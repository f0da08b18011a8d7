// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// Rival is an older TarsBackend that serves the same listener, hosts and path
// as the observed one, whose Parents were resolved. Two routes for one request
// would be a lottery between two keys, so that the younger waits until the
// older is gone. One whose endpoint is not allowed serves nobody, and nor does
// one that itself waits for an older one: who serves is decided from the oldest
// on, by specs alone, so that it is the same whoever asks.
func (r Resolver) Rival(ctx context.Context, seen conditions.Observation) (*conditions.Finding, error) {
	return (&contest{
		resolver: r, path: seen.Backend.Spec.PathPrefix, known: seen.Parents,
		at: map[string][]v1alpha1.TarsBackend{}, serving: map[string]bool{},
	}).rival(ctx, seen)
}

// contest is for the requests below one path.
type contest struct {
	resolver Resolver
	path     string
	// known are parents of the one that is asked about.
	known []conditions.Parent
	// at are the contestants at a Gateway, serving says of each whether it serves, as
	// far as that was asked.
	at      map[string][]v1alpha1.TarsBackend
	serving map[string]bool
}

func (c *contest) rival(ctx context.Context, seen conditions.Observation) (*conditions.Finding, error) {
	for _, parent := range seen.Parents {
		if parent.Gateway == nil || !parent.Controlled {
			continue
		}
		own := conditions.Listeners(parent, seen.Backend, seen.NamespaceLabels)
		others, err := c.contestants(ctx, parent)
		if err != nil {
			return nil, err
		}
		for i := range others {
			other := &others[i]
			if !older(other, seen.Backend) || !hostsMeet(hostsOf(other), hostsOf(seen.Backend)) {
				continue
			}
			listener, err := c.resolver.sharedListener(ctx, parent, own, other)
			if err != nil {
				return nil, err
			}
			if listener == "" {
				continue
			}
			serves, err := c.serves(ctx, other)
			if err != nil {
				return nil, err
			}
			if serves {
				return new(rivalry(other, parent, listener)), nil
			}
		}
	}
	return nil, nil
}

// contestants are those at a Gateway that may serve the path.
func (c *contest) contestants(ctx context.Context, parent conditions.Parent) ([]v1alpha1.TarsBackend, error) {
	gateway := objectKey(parent.Gateway)
	if found, ok := c.at[gateway]; ok {
		return found, nil
	}
	all, err := c.resolver.TarsBackends(ctx, parent.Gateway)
	if err != nil {
		return nil, err
	}
	var found []v1alpha1.TarsBackend
	for i := range all {
		if all[i].Spec.PathPrefix == c.path && c.resolver.Endpoint(&all[i]) == nil {
			found = append(found, all[i])
		}
	}
	c.at[gateway] = found
	return found, nil
}

// serves says whether none that is older and serves is in the way. It ends: each that
// it asks about is older than the one before.
func (c *contest) serves(ctx context.Context, b *v1alpha1.TarsBackend) (bool, error) {
	key := objectKey(b)
	if serves, ok := c.serving[key]; ok {
		return serves, nil
	}
	parents, labels, err := c.resolver.Parents(ctx, b)
	if err != nil {
		return false, err
	}
	for i := range parents {
		for _, known := range c.known { // what is taken for granted of a Gateway is so for all
			if parents[i].Gateway != nil && known.Gateway != nil && objectKey(parents[i].Gateway) == objectKey(known.Gateway) {
				parents[i].Controlled = known.Controlled
			}
		}
	}
	finding, err := c.rival(ctx, conditions.Observation{Backend: b, Parents: parents, NamespaceLabels: labels})
	if err != nil {
		return false, err
	}
	c.serving[key] = finding == nil
	return finding == nil, nil
}

// hostsOf are those of the spec. Where they do not meet, nor do those of a listener.
func hostsOf(b *v1alpha1.TarsBackend) []string {
	if len(b.Spec.Hostnames) == 0 {
		return []string{conditions.AnyHost}
	}
	hosts := make([]string, 0, len(b.Spec.Hostnames))
	for _, h := range b.Spec.Hostnames {
		hosts = append(hosts, string(h))
	}
	return hosts
}

// sharedListener is one that takes both, with a host in common; else empty.
func (r Resolver) sharedListener(
	ctx context.Context, parent conditions.Parent, own []conditions.Listener, other *v1alpha1.TarsBackend,
) (string, error) {
	labels, err := r.namespaceLabels(ctx, other.Namespace)
	if err != nil {
		return "", err
	}
	for _, ref := range other.Spec.ParentRefs {
		theirs := parent
		theirs.Ref = completeRef(ref, other.Namespace)
		if string(*theirs.Ref.Namespace) != parent.Gateway.Namespace || string(theirs.Ref.Name) != parent.Gateway.Name {
			continue
		}
		for _, l := range conditions.Listeners(theirs, other, labels) {
			for _, o := range own {
				if l.Name == o.Name && hostsMeet(l.Hosts, o.Hosts) {
					return string(l.Name), nil
				}
			}
		}
	}
	return "", nil
}

func rivalry(other *v1alpha1.TarsBackend, parent conditions.Parent, listener string) conditions.Finding {
	return conditions.Finding{
		Reason: v1alpha1.ReasonConflicted,
		Message: fmt.Sprintf("TarsBackend %s/%s is older and serves the same hosts and spec.pathPrefix %s at listener %s of Gateway %s: "+
			"change spec.pathPrefix or spec.hostnames, or delete one of the two",
			other.Namespace, other.Name, other.Spec.PathPrefix, listener, objectKey(parent.Gateway)),
	}
}

// older says which of two TarsBackends serves: the one created first, or else
// the one whose "<namespace>/<name>" comes first (as Gateway API has it for
// routes).
func older(a, b *v1alpha1.TarsBackend) bool {
	if a.UID == b.UID {
		return false
	}
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return strings.Compare(objectKey(a), objectKey(b)) < 0
}

// hostsMeet says whether some host is among both.
func hostsMeet(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return covers(x, y) || covers(y, x) })
	})
}

// covers says that every host that narrow stands for is one that wide does.
func covers(wide, narrow string) bool {
	if wide == conditions.AnyHost || wide == narrow {
		return true
	}
	suffix, wildcard := strings.CutPrefix(wide, "*")
	return wildcard && len(narrow) > len(suffix) && strings.HasSuffix(narrow, suffix)
}
