// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// progressDeadlineExceeded is the Deployment controller's reason for giving up
// on a rollout (k8s.io/kubernetes pkg/controller/deployment/util).
const progressDeadlineExceeded = "ProgressDeadlineExceeded"

// extProcAvailable says whether enough replicas of the current configuration
// are ready, and none of another exists. All of it comes from one Deployment
// object: parts read at different times do not add up.
func extProcAvailable(o Observation) verdict {
	if !o.Applied {
		return notApplied(o)
	}
	d := o.Deployment
	if d == nil {
		return pending("the Deployment of the external processor does not exist yet")
	}
	name := "Deployment " + d.Name
	if o.ConfigHash == "" || d.Spec.Template.Annotations[v1alpha1.AnnotationConfigHash] != o.ConfigHash {
		return no(v1alpha1.ReasonRollingOut, name+" is not yet of the current configuration")
	}
	want := int32(1) // Kubernetes' default
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	if want == 0 {
		return no(v1alpha1.ReasonScaledToZero, name+" has no replicas, so that every request is answered 503; "+
			"set spec.extProc.replicas to 1 or more")
	}
	s := d.Status
	switch {
	case s.ObservedGeneration != d.Generation:
		return pending(name + ": its status is about an older generation")
	case s.AvailableReplicas < enough(want):
		return no(v1alpha1.ReasonExtProcNotAvailable, fmt.Sprintf("%s has %d of %d replicas ready; %s",
			name, s.AvailableReplicas, want, whyUnavailable(d)))
	case s.UpdatedReplicas != want || s.Replicas != want:
		return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("%s: %d of %d replicas run the current configuration, %d run in all",
			name, s.UpdatedReplicas, want, s.Replicas))
	default:
		return yes(v1alpha1.ReasonAvailable, fmt.Sprintf("%s has %d of %d replicas ready, all of the current configuration",
			name, s.AvailableReplicas, want))
	}
}

// RolledOut says that the current configuration is all that the external processor
// runs.
func RolledOut(o Observation) bool { return extProcAvailable(o).isTrue() }

// enough is how many replicas have to be ready: half of them, so that the loss
// of a node, which the others carry, is no alarm.
func enough(replicas int32) int32 {
	return (replicas + 1) / 2
}

// whyUnavailable quotes what the Deployment controller knows.
func whyUnavailable(d *appsv1.Deployment) string {
	for _, c := range d.Status.Conditions {
		failed := c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
		stuck := c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse &&
			c.Reason == progressDeadlineExceeded
		if failed || stuck {
			return quote(c.Reason, c.Message)
		}
	}
	return fmt.Sprintf("look at its pods: kubectl describe pods -n %s -l gateway.tars.dev/tarsbackend", d.Namespace)
}
