// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// maxAddresses is the longest list of addresses that the CRD takes.
const maxAddresses = 16

// Parents tells about each parentRef alone: Accepted and Programmed, and the
// Gateway's addresses.
func Parents(o Observation) []v1alpha1.ParentStatus {
	generation := o.Backend.Generation
	parents := make([]v1alpha1.ParentStatus, 0, len(o.Parents))
	for _, p := range o.Parents {
		accepted, programmed := parentVerdicts(o, p)
		parents = append(parents, v1alpha1.ParentStatus{
			ParentRef: p.Ref,
			Conditions: []metav1.Condition{
				accepted.condition(v1alpha1.ConditionAccepted, generation),
				programmed.condition(v1alpha1.ConditionProgrammed, generation),
			},
			Addresses: addresses(p),
		})
	}
	return parents
}

func parentVerdicts(o Observation, p Parent) (accepted, programmed verdict) {
	if paused(o) {
		v := evaluate(o).taken
		return v, v
	}
	refused := parentRefused(p)
	if f := parentMissing(p); f != nil && len(refused) == 0 {
		refused = []Finding{*f}
		refused[0].Unknown = !o.Resolved
	}
	if len(refused) > 0 {
		v := all(fromFindings(refused), verdict{})
		return v, v
	}
	return afterFailure(o, routeTaken(o, p)), afterFailure(o, programmedFor(o, p))
}

func addresses(p Parent) []string {
	if p.Gateway == nil {
		return nil
	}
	var values []string
	for _, a := range p.Gateway.Status.Addresses {
		if a.Value != "" && len(values) < maxAddresses {
			values = append(values, a.Value)
		}
	}
	return values
}
