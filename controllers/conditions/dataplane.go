// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// badOutcomes are what a probe can find wrong, with the condition's reason:
// what hides the others comes first.
var badOutcomes = []struct {
	outcome ProbeOutcome
	reason  string
}{
	{ProbeUnreachable, v1alpha1.ReasonEnvoyUnreachable},
	{ProbeWrong, v1alpha1.ReasonUnexpectedAnswer},
	{ProbeStale, v1alpha1.ReasonStaleConfiguration},
}

// dataPlaneVerified says whether every ready Envoy of every parent answers
// with the current configuration.
func dataPlaneVerified(o Observation) verdict {
	if !o.Applied {
		return notApplied(o)
	}
	if o.Canary == nil {
		return pending("no Envoy was asked for the current configuration yet")
	}
	if len(o.Canary.Missing) > 0 {
		return no(v1alpha1.ReasonNoReadyEnvoy, list(o.Canary.Missing))
	}
	if v := probesFound(o.Canary.Probes); v.isFalse() {
		return v
	}
	if len(o.Canary.NotPossible) > 0 {
		return notPossible(list(o.Canary.NotPossible))
	}
	if len(o.Parents) == 0 {
		return pending("no Gateway to ask")
	}
	verdicts := make([]verdict, 0, len(o.Parents))
	for _, p := range o.Parents {
		verdicts = append(verdicts, canaryOfParent(o.Canary.Probes, p))
	}
	return all(verdicts, yes(v1alpha1.ReasonVerified, "every ready Envoy answers with the current configuration"))
}

// canaryOf is the verdict on the Envoys of one parent.
func canaryOf(o Observation, p Parent) verdict {
	if o.Canary == nil || !slices.ContainsFunc(o.Canary.Probes, func(probe Probe) bool { return isOf(probe, p) }) {
		return dataPlaneVerified(o)
	}
	return canaryOfParent(o.Canary.Probes, p)
}

// canaryOfParent needs at least one probe of a parent: a list without bad news
// proves nothing.
func canaryOfParent(probes []Probe, p Parent) verdict {
	var own []Probe
	for _, probe := range probes {
		if isOf(probe, p) {
			own = append(own, probe)
		}
	}
	if len(own) == 0 {
		return pending("no Envoy of " + gatewayName(p) + " was asked yet")
	}
	return probesFound(own)
}

func isOf(probe Probe, p Parent) bool {
	return "Gateway "+probe.Gateway == gatewayName(p) &&
		(p.Ref.SectionName == nil || string(*p.Ref.SectionName) == probe.Listener)
}

// probesFound sums up probes.
func probesFound(probes []Probe) verdict {
	for _, status := range []metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionUnknown} {
		for _, bad := range badOutcomes {
			if messages := messagesOf(probes, bad.outcome, status == metav1.ConditionUnknown); len(messages) > 0 {
				return verdict{status, bad.reason, list(messages)}
			}
		}
	}
	if messages := messagesOf(probes, ProbeImpossible, false); len(messages) > 0 {
		return notPossible(list(messages))
	}
	verified := map[string]bool{}
	for _, p := range probes {
		if p.Outcome == ProbeVerified && p.Service == "" {
			verified[at(p)] = true
		}
	}
	for _, p := range probes {
		waits := p.Outcome != ProbeVerified && p.Outcome != ProbeJoined
		// One that just appeared got its configuration before it was ready;
		// beside others that were verified it is in no doubt.
		if waits || !verified[at(p)] {
			return pending("not every Envoy has answered yet: " + at(p))
		}
	}
	return yes(v1alpha1.ReasonVerified, "every ready Envoy answers with the current configuration")
}

// messagesOf are what the probes of an outcome tell, the fresh ones or the others.
func messagesOf(probes []Probe, outcome ProbeOutcome, fresh bool) []string {
	var messages []string
	for _, p := range probes {
		if p.Outcome == outcome && p.Fresh == fresh {
			messages = append(messages, fmt.Sprintf("%s (%s) %s", who(p), at(p), p.Detail))
		}
	}
	return messages
}

func at(p Probe) string {
	return fmt.Sprintf("Gateway %s, listener %s", p.Gateway, p.Listener)
}

// who was asked.
func who(p Probe) string {
	if p.Service != "" {
		return "Service " + p.Service
	}
	return "Envoy " + p.Envoy
}
