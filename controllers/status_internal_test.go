// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// statusWith is a status with this Ready condition.
func statusWith(status metav1.ConditionStatus, reason string, generation int64) v1alpha1.TarsBackendStatus {
	return v1alpha1.TarsBackendStatus{Conditions: []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: status, Reason: reason, ObservedGeneration: generation,
	}}}
}

var _ = DescribeTable("A failure of the API server", func(before, after v1alpha1.TarsBackendStatus, failing time.Duration, borne bool) {
	b := &v1alpha1.TarsBackend{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "llm", Generation: 2}, Status: before}
	r := &TarsBackendReconciler{memory: newMemory()}
	s := &scope{backend: b, seen: conditions.Observation{Backend: b, Failure: "applying the Service: timeout"}}
	if failing > 0 {
		r.memory.failing[s.name()] = time.Now().Add(-failing)
	}
	Expect(r.bears(s, after)).To(Equal(borne))
},
	Entry("is borne by what was Ready", statusWith("True", v1alpha1.ReasonReady, 2),
		statusWith("Unknown", v1alpha1.ReasonReconcileError, 2), time.Duration(0), true),
	Entry("is borne while it does not last", statusWith("True", v1alpha1.ReasonReady, 2),
		statusWith("Unknown", v1alpha1.ReasonReconcileError, 2), failureGrace/2, true),
	Entry("is told once it lasts", statusWith("True", v1alpha1.ReasonReady, 2),
		statusWith("Unknown", v1alpha1.ReasonReconcileError, 2), failureGrace, false),
	Entry("hides nothing else that is wrong", statusWith("True", v1alpha1.ReasonReady, 2),
		statusWith("False", v1alpha1.ReasonSecretNotFound, 2), time.Duration(0), false),
	Entry("hides nothing else that is unknown", statusWith("True", v1alpha1.ReasonReady, 2),
		statusWith("Unknown", v1alpha1.ReasonPending, 2), time.Duration(0), false),
	Entry("keeps no Ready of another generation", statusWith("True", v1alpha1.ReasonReady, 1),
		statusWith("Unknown", v1alpha1.ReasonReconcileError, 2), time.Duration(0), false),
	Entry("is told of what was not Ready", statusWith("Unknown", v1alpha1.ReasonPending, 2),
		statusWith("Unknown", v1alpha1.ReasonReconcileError, 2), time.Duration(0), false),
	Entry("is told of what is new", v1alpha1.TarsBackendStatus{},
		statusWith("Unknown", v1alpha1.ReasonReconcileError, 2), time.Duration(0), false),
)
