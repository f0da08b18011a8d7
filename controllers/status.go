// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// writeStatus is the only place that writes a status. It writes when something
// changed, and with the resourceVersion that was looked at: a status must not
// land on another object of the same name.
func (r *TarsBackendReconciler) writeStatus(ctx context.Context, s *scope, failure error) error {
	if _, taken := errors.AsType[*nameTakenError](failure); !taken { // that one is a finding, not a failure
		s.seen.Failure = describe(failure)
	}
	before := s.backend.Status
	after := s.statusAfter()
	if r.bears(s, after) || reflect.DeepEqual(before, after) {
		return nil
	}
	changed := s.backend.DeepCopy()
	changed.Status = after
	patch := client.MergeFromWithOptions(s.backend, client.MergeFromWithOptimisticLock{})
	if err := r.client.Status().Patch(ctx, changed, patch, FieldOwner); err != nil {
		if apierrors.IsNotFound(err) {
			return nil // deleted meanwhile
		}
		return attempt(err, "writing the status")
	}
	r.memory.wrote(changed)
	r.emitTransitions(changed, before.Conditions, after.Conditions)
	return nil
}

// bears says that a failure is not told yet. What the API server refuses is tried again
// within a fraction of a second, and a readiness that comes and goes with one request
// would alarm people for nothing. That is for a TarsBackend which was Ready as it is
// now, and of which nothing else is known to be wrong.
func (r *TarsBackendReconciler) bears(s *scope, after v1alpha1.TarsBackendStatus) bool {
	now := time.Now()
	since := r.memory.failed(s.name(), now, s.seen.Failure != "")
	was := meta.FindStatusCondition(s.backend.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionReady)
	return s.seen.Failure != "" && now.Sub(since) < failureGrace &&
		was != nil && was.Status == metav1.ConditionTrue && was.ObservedGeneration == s.backend.Generation &&
		is.Status == metav1.ConditionUnknown && is.Reason == v1alpha1.ReasonReconcileError
}

// statusAfter is the status that follows from what was seen. Facts about the
// data plane that this reconcile did not get to stay as they were.
func (s *scope) statusAfter() v1alpha1.TarsBackendStatus {
	before := s.backend.Status
	after := v1alpha1.TarsBackendStatus{
		ObservedGeneration: s.backend.Generation,
		Conditions:         stamp(before.Conditions, conditions.Compute(s.seen)),
		Parents:            conditions.Parents(s.seen),
		URLs:               conditions.URLs(s.seen),
		Credential:         before.Credential,
		Models:             before.Models,
		ExtProc:            before.ExtProc,
	}
	for i := range after.Parents {
		after.Parents[i].Conditions = stamp(conditionsOfParent(before.Parents, after.Parents[i]), after.Parents[i].Conditions)
	}
	if paused(s.backend) {
		after.Parents, after.URLs = before.Parents, before.URLs
	}
	switch {
	case s.revoked:
		after.Credential, after.Models = nil, nil
	case s.seen.CredentialFingerprint != "":
		after.Credential = &v1alpha1.CredentialStatus{Fingerprint: s.seen.CredentialFingerprint}
	}
	if models := conditions.Models(s.seen); models != nil {
		after.Models = models
	}
	if s.seen.Applied {
		after.ExtProc = &v1alpha1.ExtProcStatus{ConfigHash: s.seen.ConfigHash}
	}
	if len(after.Parents) == 0 {
		after.Parents = nil
	}
	if len(after.URLs) == 0 {
		after.URLs = nil
	}
	return after
}

// conditionsOfParent are those that the status had for the same parentRef.
func conditionsOfParent(before []v1alpha1.ParentStatus, now v1alpha1.ParentStatus) []metav1.Condition {
	for _, p := range before {
		if reflect.DeepEqual(p.ParentRef, now.ParentRef) {
			return p.Conditions
		}
	}
	return nil
}

// stamp gives computed conditions the time of their last transition, and their
// old places, so that an unchanged list stays unchanged. Types that were not
// computed go.
func stamp(before, computed []metav1.Condition) []metav1.Condition {
	var after []metav1.Condition
	for _, old := range before {
		if meta.FindStatusCondition(computed, old.Type) != nil {
			after = append(after, old)
		}
	}
	for _, c := range computed {
		meta.SetStatusCondition(&after, c)
	}
	return after
}
