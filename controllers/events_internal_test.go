// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

var _ = DescribeTable("an Event", func(before, after metav1.Condition, want ...string) {
	recorder := events.NewFakeRecorder(10)
	r := &TarsBackendReconciler{recorder: recorder}
	r.emitTransitions(&v1alpha1.TarsBackend{}, []metav1.Condition{before}, []metav1.Condition{after})
	close(recorder.Events)
	var told []string
	for e := range recorder.Events {
		told = append(told, e)
	}
	Expect(told).To(HaveLen(len(want)))
	for i := range want {
		Expect(told[i]).To(HavePrefix(want[i]))
	}
},
	Entry("tells what broke", condition(v1alpha1.ConditionDataPlaneVerified, metav1.ConditionTrue, v1alpha1.ReasonVerified),
		condition(v1alpha1.ConditionDataPlaneVerified, metav1.ConditionFalse, v1alpha1.ReasonStaleConfiguration), "Warning StaleConfiguration"),
	Entry("tells what healed", condition(v1alpha1.ConditionDataPlaneVerified, metav1.ConditionFalse, v1alpha1.ReasonStaleConfiguration),
		condition(v1alpha1.ConditionDataPlaneVerified, metav1.ConditionTrue, v1alpha1.ReasonVerified), "Normal Verified"),
	Entry("does not tell that an edit gets to the Envoys", condition(v1alpha1.ConditionDataPlaneVerified, metav1.ConditionTrue, v1alpha1.ReasonVerified),
		condition(v1alpha1.ConditionDataPlaneVerified, metav1.ConditionUnknown, v1alpha1.ReasonStaleConfiguration)),
	Entry("does not tell that it rolls out", condition(v1alpha1.ConditionExtProcAvailable, metav1.ConditionTrue, v1alpha1.ReasonAvailable),
		condition(v1alpha1.ConditionExtProcAvailable, metav1.ConditionFalse, v1alpha1.ReasonRollingOut)),
	Entry("nor that it has", condition(v1alpha1.ConditionExtProcAvailable, metav1.ConditionFalse, v1alpha1.ReasonRollingOut),
		condition(v1alpha1.ConditionExtProcAvailable, metav1.ConditionTrue, v1alpha1.ReasonAvailable)),
)

func condition(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "in words"}
}
