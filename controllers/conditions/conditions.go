// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// evaluation holds a verdict on each link between an app and TARS, in causal
// order. Accepted has two links: what the spec says comes before the
// references, whether Envoy Gateway took the route comes after them.
type evaluation struct {
	spec       verdict
	refs       verdict
	taken      verdict
	programmed verdict
	extProc    verdict
	dataPlane  verdict
	upstream   verdict
	credential verdict
	models     verdict
}

// Compute gives all conditions of a TarsBackend: Accepted, ResolvedRefs,
// Programmed, ExtProcAvailable, DataPlaneVerified, UpstreamReachable,
// CredentialVerified, ModelsResolved and Ready always, Reconciling and Stalled
// only while they are True. LastTransitionTime is left zero.
func Compute(o Observation) []metav1.Condition {
	e := evaluate(o)
	accepted := e.spec
	if accepted.isTrue() || (!accepted.isFalse() && e.taken.isFalse()) {
		accepted = e.taken
	}
	ready := e.ready(o)
	generation := o.Backend.Generation
	computed := []metav1.Condition{
		accepted.condition(v1alpha1.ConditionAccepted, generation),
		e.refs.condition(v1alpha1.ConditionResolvedRefs, generation),
		e.programmed.condition(v1alpha1.ConditionProgrammed, generation),
		e.extProc.condition(v1alpha1.ConditionExtProcAvailable, generation),
		e.dataPlane.condition(v1alpha1.ConditionDataPlaneVerified, generation),
		e.upstream.condition(v1alpha1.ConditionUpstreamReachable, generation),
		e.credential.condition(v1alpha1.ConditionCredentialVerified, generation),
		e.models.condition(v1alpha1.ConditionModelsResolved, generation),
		ready.condition(v1alpha1.ConditionReady, generation),
	}
	progress := yes(ready.reason, ready.message)
	switch {
	case ready.isTrue(), paused(o):
	case e.stalled():
		computed = append(computed, progress.condition(v1alpha1.ConditionStalled, generation))
	default:
		computed = append(computed, progress.condition(v1alpha1.ConditionReconciling, generation))
	}
	return computed
}

func evaluate(o Observation) evaluation {
	if paused(o) {
		v := verdict{metav1.ConditionUnknown, v1alpha1.ReasonPaused, fmt.Sprintf(
			"the annotation %s stops the operator from looking; remove it to go on", v1alpha1.AnnotationPaused)}
		return evaluation{v, v, v, v, v, v, v, v, v}
	}
	return evaluation{
		spec:       spec(o),
		refs:       resolvedRefs(o),
		taken:      afterFailure(o, taken(o)),
		programmed: afterFailure(o, programmed(o)),
		extProc:    afterFailure(o, extProcAvailable(o)),
		dataPlane:  afterFailure(o, dataPlaneVerified(o)),
		upstream:   afterFailure(o, upstreamReachable(o)),
		credential: afterFailure(o, credentialVerified(o)),
		models:     afterFailure(o, modelsResolved(o)),
	}
}

func paused(o Observation) bool {
	return o.Backend.Annotations[v1alpha1.AnnotationPaused] == "true"
}

// ready sums up the links that block: the first that is not True gives the
// reason and the message.
func (e evaluation) ready(o Observation) verdict {
	chain := []verdict{e.spec, e.refs, e.taken, e.programmed, e.extProc}
	if dataPlaneBlocks(o) {
		chain = append(chain, e.dataPlane)
	}
	for _, v := range []verdict{e.upstream, e.credential} {
		if v.isFalse() || (dataPlaneBlocks(o) && v.reason != v1alpha1.ReasonVerificationDisabled) {
			chain = append(chain, v)
		}
	}
	first := slices.IndexFunc(chain, func(v verdict) bool { return !v.isTrue() })
	if first < 0 {
		return yes(v1alpha1.ReasonReady, works(o, e.dataPlane))
	}
	summary := chain[first]
	summary.status = metav1.ConditionUnknown
	if slices.ContainsFunc(chain, verdict.isFalse) {
		summary.status = metav1.ConditionFalse
	}
	return summary
}

func dataPlaneBlocks(o Observation) bool {
	return o.Backend.Spec.Readiness.DataPlane != v1alpha1.ReadinessInformational
}

// works says what a True Ready stands for.
func works(o Observation, dataPlane verdict) string {
	where := "every Gateway of spec.parentRefs"
	if urls := URLs(o); len(urls) > 0 {
		where = urls[0].URL
	}
	message := fmt.Sprintf("requests to %s reach %s", where, o.Backend.Spec.Endpoint.Hostname)
	if o.CredentialFingerprint != "" {
		message += " with the key " + o.CredentialFingerprint
	}
	if dataPlane.isTrue() {
		return message + "; every ready Envoy answers with the current configuration"
	}
	return message + " as far as Envoy Gateway's status tells; the data plane is not verified: " + dataPlane.message
}

// stalled says that nothing moves until a human changes a spec. Waiting, also
// for a human's Secret or Gateway, is not that: a watch ends it.
func (e evaluation) stalled() bool {
	switch e.spec.reason {
	case v1alpha1.ReasonEndpointNotAllowed, v1alpha1.ReasonNotEnvoyGateway, v1alpha1.ReasonConflicted:
		return e.spec.isFalse()
	default:
		return false
	}
}

// afterFailure takes back what is not known any more when the API server
// refused something: only bad news stays.
func afterFailure(o Observation, v verdict) verdict {
	if o.Failure == "" || v.isFalse() {
		return v
	}
	return verdict{metav1.ConditionUnknown, v1alpha1.ReasonReconcileError, o.Failure}
}

// notApplied is the verdict on everything that follows from the children while
// they were not written.
func notApplied(o Observation) verdict {
	switch {
	case !spec(o).isTrue():
		return pending("nothing is applied until Accepted is True")
	case !references(o).isTrue():
		return pending("nothing more is applied until ResolvedRefs is True")
	default:
		return pending("the objects are not all applied yet")
	}
}
