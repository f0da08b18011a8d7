// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// Reasons of our own, where the status has none.
const (
	reasonNoManager = "NoManager"
	reasonDeleted   = "BeingDeleted"
	managersLog     = "kubectl logs -n tars-system deploy/tars-operator-controller-manager --tail=20"
	managerLayer    = "manager"
)

// layers name where a condition looks, on the way from an app to TARS.
var layers = map[string]string{
	v1alpha1.ConditionAccepted:           "the spec, or the Gateway's word on the route",
	v1alpha1.ConditionResolvedRefs:       "references: Secret, CA, Gateways, Envoy Gateway's APIs",
	v1alpha1.ConditionProgrammed:         "Envoy Gateway",
	v1alpha1.ConditionExtProcAvailable:   "external processor",
	v1alpha1.ConditionDataPlaneVerified:  "data plane: the Envoys",
	v1alpha1.ConditionUpstreamReachable:  "the way from the Envoys to TARS",
	v1alpha1.ConditionCredentialVerified: "the TARS key",
}

// causal is the order in which conditions are gone through.
var causal = []string{
	v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs, v1alpha1.ConditionProgrammed,
	v1alpha1.ConditionExtProcAvailable, v1alpha1.ConditionDataPlaneVerified,
	v1alpha1.ConditionUpstreamReachable, v1alpha1.ConditionCredentialVerified,
}

// diagnose says what keeps a TarsBackend from being Ready, by its status alone:
// the manager has seen more than a user may. Nil: it is Ready.
func diagnose(b *v1alpha1.TarsBackend) *Problem {
	ready := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case b.DeletionTimestamp != nil:
		return &Problem{
			Layer: "the TarsBackend itself", Reason: reasonDeleted,
			Message: "it is being deleted; the manager removes its HTTPRoute first, and then lets it go",
			Fix:     "wait; where it does not go, the manager is not running",
			Look:    managersLog,
		}
	case !current(b):
		return &Problem{
			Layer: managerLayer, Reason: reasonNoManager,
			Message: silence(b),
			Fix: "get the manager to run (kubectl get pods -n tars-system), or, where it is limited to some namespaces, " +
				"have this one added",
			Look: managersLog,
		}
	case ready.Status == metav1.ConditionTrue:
		return nil
	}
	about := adviceOn(ready.Reason, b)
	return &Problem{
		Layer: layerOf(b, *ready), Reason: ready.Reason, Message: ready.Message, Fix: about.fix, Look: about.look,
	}
}

// current says whether the status is about this generation.
func current(b *v1alpha1.TarsBackend) bool {
	ready := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.ObservedGeneration == b.Generation && b.Status.ObservedGeneration == b.Generation
}

func silence(b *v1alpha1.TarsBackend) string {
	if b.Status.ObservedGeneration < 1 {
		return "no manager has looked at it yet"
	}
	return fmt.Sprintf("the status is about generation %d, and the spec is at %d: the manager has not looked since the last change",
		b.Status.ObservedGeneration, b.Generation)
}

// layerOf is the layer of the condition that Ready quotes.
func layerOf(b *v1alpha1.TarsBackend, ready metav1.Condition) string {
	if b.Annotations[v1alpha1.AnnotationPaused] == "true" {
		return managerLayer
	}
	for _, kind := range causal {
		c := meta.FindStatusCondition(b.Status.Conditions, kind)
		if c != nil && c.Status != metav1.ConditionTrue && c.Reason == ready.Reason && c.Message == ready.Message {
			return fmt.Sprintf("%s (condition %s)", layers[kind], kind)
		}
	}
	return managerLayer
}

// own are complaints about what was seen with our own eyes, as conditions
// words them. What the status already says is left out.
func own(seen conditions.Observation, said *Problem) []Complaint {
	var complaints []Complaint
	computed := conditions.Compute(seen)
	for _, kind := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs} {
		c := meta.FindStatusCondition(computed, kind)
		if c == nil || c.Status != metav1.ConditionFalse || (said != nil && said.Reason == c.Reason) {
			continue
		}
		complaints = append(complaints, Complaint{Name: c.Reason, Message: c.Message})
	}
	return complaints
}
