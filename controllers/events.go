// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// eventAction is what we were doing, in the sense of events.k8s.io.
const eventAction = "Reconcile"

// maxEventNote is the longest note that events.k8s.io takes.
const maxEventNote = 1024

// emitTransitions tells of the transitions that a human wants to hear about:
// what broke, what healed, and traffic that works. The event's reason is the
// condition's. Ready turning False is told by the condition that it follows.
func (r *TarsBackendReconciler) emitTransitions(b *v1alpha1.TarsBackend, before, after []metav1.Condition) {
	for _, c := range after {
		old := meta.FindStatusCondition(before, c.Type)
		if old != nil && old.Status == c.Status && old.Reason == c.Reason {
			continue
		}
		ready := c.Type == v1alpha1.ConditionReady
		healed := old != nil && old.Status == metav1.ConditionFalse && old.Reason != v1alpha1.ReasonRollingOut
		switch {
		case c.Type == v1alpha1.ConditionReconciling || c.Type == v1alpha1.ConditionStalled:
		case c.Reason == v1alpha1.ReasonRollingOut: // as every edit has it
		case c.Status == metav1.ConditionFalse && !ready:
			r.emit(b, corev1.EventTypeWarning, c.Reason, c.Message)
		case c.Status == metav1.ConditionTrue && (ready || healed):
			r.emit(b, corev1.EventTypeNormal, c.Reason, c.Message)
		}
	}
}

// emit records an event of a kind (Normal, Warning).
func (r *TarsBackendReconciler) emit(b *v1alpha1.TarsBackend, kind, reason, note string) {
	r.recorder.Eventf(b, nil, kind, reason, eventAction, "%s", cutNote(note))
}

// cutNote shortens a note between characters: half of one is sent as another, which
// may make the note too long again, and then the API server refuses the event.
func cutNote(note string) string {
	return strings.ToValidUTF8(note[:min(len(note), maxEventNote)], "")
}
