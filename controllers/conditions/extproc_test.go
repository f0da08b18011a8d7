// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	. "github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// deployment changes the Deployment of a good observation.
func deployment(change func(*appsv1.Deployment)) func(*Observation) {
	return func(o *Observation) { change(o.Deployment) }
}

var _ = DescribeTable("ExtProcAvailable", check,
	Entry("is True when every replica of the current configuration is ready", func(*Observation) {},
		extProcIs(isTrue, v1alpha1.ReasonAvailable, "2 of 2 replicas ready")),
	Entry("is True when half of the replicas are ready", deployment(func(d *appsv1.Deployment) {
		d.Status.AvailableReplicas = 1
	}), extProcIs(isTrue, v1alpha1.ReasonAvailable, "1 of 2 replicas ready")),
	Entry("is True for the one replica that Kubernetes defaults to", deployment(func(d *appsv1.Deployment) {
		d.Spec.Replicas = nil
		d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas = 1, 1, 1
	}), extProcIs(isTrue, v1alpha1.ReasonAvailable)),
	Entry("is Unknown before the children are applied", func(o *Observation) { o.Applied = false },
		extProcIs(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown without a Deployment", func(o *Observation) { o.Deployment = nil },
		extProcIs(isUnknown, v1alpha1.ReasonPending, "does not exist yet")),
	Entry("is False when the Deployment is of another configuration, however ready", deployment(func(d *appsv1.Deployment) {
		d.Spec.Template.Annotations[v1alpha1.AnnotationConfigHash] = "fedcba9876543210"
	}), extProcIs(isFalse, v1alpha1.ReasonRollingOut, "not yet of the current configuration")),
	Entry("is False when nobody knows the current configuration", func(o *Observation) {
		o.ConfigHash = ""
		o.Deployment.Spec.Template.Annotations = nil
	}, extProcIs(isFalse, v1alpha1.ReasonRollingOut)),
	Entry("is False when scaled to zero", deployment(func(d *appsv1.Deployment) {
		*d.Spec.Replicas = 0
		d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas = 0, 0, 0
	}), extProcIs(isFalse, v1alpha1.ReasonScaledToZero, "spec.extProc.replicas")),
	Entry("is Unknown when the status is about an older generation", deployment(func(d *appsv1.Deployment) {
		d.Generation++
	}), extProcIs(isUnknown, v1alpha1.ReasonPending, "older generation")),
	Entry("is False when no replica is ready", deployment(func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 0 }),
		extProcIs(isFalse, v1alpha1.ReasonExtProcNotAvailable, "0 of 2 replicas ready", "kubectl describe pods -n team")),
	Entry("is False when fewer than half are ready", deployment(func(d *appsv1.Deployment) {
		*d.Spec.Replicas = 3
		d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas = 3, 3, 1
	}), extProcIs(isFalse, v1alpha1.ReasonExtProcNotAvailable, "1 of 3")),
	Entry("says why pods cannot be made", deployment(func(d *appsv1.Deployment) {
		d.Status.AvailableReplicas = 0
		d.Status.Conditions = []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionFalse, Reason: "MinimumReplicasUnavailable", Message: "no"},
			{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota"},
		}
	}), extProcIs(isFalse, v1alpha1.ReasonExtProcNotAvailable, "FailedCreate: exceeded quota")),
	Entry("says that a rollout is stuck", deployment(func(d *appsv1.Deployment) {
		d.Status.AvailableReplicas = 0
		d.Status.Conditions = []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", Message: "timed out",
		}}
	}), extProcIs(isFalse, v1alpha1.ReasonExtProcNotAvailable, "ProgressDeadlineExceeded: timed out")),
	Entry("is False while replicas of another configuration run", deployment(func(d *appsv1.Deployment) {
		d.Status.Replicas = 3
	}), extProcIs(isFalse, v1alpha1.ReasonRollingOut, "3 run in all")),
	Entry("is False while not all replicas are of the current configuration", deployment(func(d *appsv1.Deployment) {
		d.Status.UpdatedReplicas = 1
	}), extProcIs(isFalse, v1alpha1.ReasonRollingOut, "1 of 2 replicas run the current configuration")),
	Entry("is False while replicas are missing", deployment(func(d *appsv1.Deployment) {
		d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas = 1, 1, 1
	}), extProcIs(isFalse, v1alpha1.ReasonRollingOut)),
)
