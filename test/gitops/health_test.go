// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"encoding/json"
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// generation is that of every object here.
const generation = 3

// look is a TarsBackend as a tool finds it.
type look struct {
	// noStatus: nothing has written one, not even the CRD's default.
	noStatus bool
	// observed is status.observedGeneration.
	observed int64
	// ready is the status of the condition Ready; empty: there is none.
	ready metav1.ConditionStatus
	// also is Reconciling or Stalled, whichever is True; empty: neither.
	also string
	// deleting: it is being deleted.
	deleting bool
}

// object is the TarsBackend with the conditions in the order in which the
// operator has them.
func (l look) object() *unstructured.Unstructured {
	GinkgoHelper()
	metadata := map[string]any{"name": "tars", "namespace": "team", "generation": int64(generation)}
	if l.deleting {
		metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
	}
	object := map[string]any{"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": "TarsBackend", "metadata": metadata}
	if !l.noStatus {
		var conditions []metav1.Condition
		if l.ready != "" {
			conditions = append(conditions,
				metav1.Condition{Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionTrue, Reason: v1alpha1.ConditionAccepted, Message: "taken"},
				metav1.Condition{Type: v1alpha1.ConditionReady, Status: l.ready, Reason: "Because", Message: "of this"})
		}
		if l.also != "" {
			conditions = append(conditions, metav1.Condition{Type: l.also, Status: metav1.ConditionTrue, Reason: "Because", Message: "of this"})
		}
		text, err := json.Marshal(v1alpha1.TarsBackendStatus{ObservedGeneration: l.observed, Conditions: conditions})
		Expect(err).NotTo(HaveOccurred())
		fields := map[string]any{}
		Expect(json.Unmarshal(text, &fields)).To(Succeed())
		fields["observedGeneration"] = l.observed
		object["status"] = fields
	}
	return &unstructured.Unstructured{Object: object}
}

// looks are all that the operator can show, and that other writers can make of
// it by an edit or a deletion.
func looks() []look {
	all := []look{{noStatus: true}, {noStatus: true, deleting: true}, {observed: -1}, {observed: -1, deleting: true}}
	for _, deleting := range []bool{false, true} {
		for _, observed := range []int64{generation - 1, generation} {
			all = append(all, look{observed: observed, ready: metav1.ConditionTrue, deleting: deleting})
			for _, ready := range []metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionUnknown} {
				// Neither of them: it is paused.
				for _, also := range []string{"", v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
					all = append(all, look{observed: observed, ready: ready, also: also, deleting: deleting})
				}
			}
		}
	}
	return all
}

// inArgo is Argo CD's word for one of kstatus.
var inArgo = map[status.Status]string{
	status.CurrentStatus:     "Healthy",
	status.InProgressStatus:  "Progressing",
	status.FailedStatus:      "Degraded",
	status.TerminatingStatus: "Progressing",
}

var _ = Describe("A TarsBackend in Argo CD and Flux", func() {
	DescribeTable("is", func(l look, want status.Status, message string) {
		object := l.object()
		Expect(kstatus(object)).To(Equal(want))
		Expect(argoHealth(healthScript(), object)).To(Equal(health{inArgo[want], message}))
	},
		Entry("in progress when nobody has looked at it", look{observed: -1}, status.InProgressStatus, "waiting for the operator"),
		Entry("in progress while things move", look{observed: 3, ready: "Unknown", also: v1alpha1.ConditionReconciling}, status.InProgressStatus, "Because: of this"),
		Entry("in progress while something is missing", look{observed: 3, ready: "False", also: v1alpha1.ConditionReconciling}, status.InProgressStatus, "Because: of this"),
		Entry("current when it is Ready", look{observed: 3, ready: "True"}, status.CurrentStatus, "Because: of this"),
		Entry("in progress when it was Ready before an edit", look{observed: 2, ready: "True"}, status.InProgressStatus, "waiting for the operator"),
		Entry("failed when a human has to change it", look{observed: 3, ready: "False", also: v1alpha1.ConditionStalled}, status.FailedStatus, "Because: of this"),
		Entry("in progress after that change", look{observed: 2, ready: "False", also: v1alpha1.ConditionStalled}, status.InProgressStatus, "waiting for the operator"),
		Entry("in progress while it is paused", look{observed: 3, ready: "Unknown"}, status.InProgressStatus, "Because: of this"),
		Entry("ending while it is being deleted", look{observed: 3, ready: "True", deleting: true}, status.TerminatingStatus, "being deleted"),
	)

	It("is healthy exactly when it is Ready now, failed exactly when it is Stalled now, and the same in both", func() {
		script := healthScript()
		for _, l := range looks() {
			object := l.object()
			what := fmt.Sprintf("%+v", l)
			want, now := "Progressing", l.observed == generation && !l.deleting
			switch {
			case now && l.ready == metav1.ConditionTrue:
				want = "Healthy"
			case now && l.also == v1alpha1.ConditionStalled:
				want = "Degraded"
			}
			argo, flux := argoHealth(script, object).status, kstatus(object)
			Expect(argo).To(Equal(want), what)
			// Without a status kstatus has nothing to go by; the CRD's default
			// keeps that from being seen.
			if !l.noStatus {
				Expect(argo).To(Equal(inArgo[flux]), "%s: kstatus says %s", what, flux)
			}
		}
	})
})
