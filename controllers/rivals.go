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
// older is gone. One whose endpoint is not allowed serves nobody.
func (r Resolver) Rival(ctx context.Context, seen conditions.Observation) (*conditions.Finding, error) {
	for _, parent := range seen.Parents {
		if parent.Gateway == nil || !parent.Controlled {
			continue
		}
		own := conditions.Listeners(parent, seen.Backend, seen.NamespaceLabels)
		others, err := r.TarsBackends(ctx, parent.Gateway)
		if err != nil {
			return nil, err
		}
		for i := range others {
			other := &others[i]
			if !older(other, seen.Backend) || other.Spec.PathPrefix != seen.Backend.Spec.PathPrefix {
				continue
			}
			if r.Endpoint(other) != nil {
				continue // it may not serve
			}
			listener, err := r.sharedListener(ctx, parent, own, other)
			if err != nil {
				return nil, err
			}
			if listener != "" {
				return new(rivalry(other, parent, listener)), nil
			}
		}
	}
	return nil, nil
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
