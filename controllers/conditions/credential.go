// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// keyFaults are what can be wrong with the key; what hides the others comes
// first. An upstream that cannot be reached or does not serve is none of them:
// it says nothing about the key.
var keyFaults = []upstreamFault{
	{UpstreamRejected, metav1.ConditionFalse, v1alpha1.ReasonKeyRejected, func(key string) string {
		return "TARS rejects " + key + ": put a valid one into the Secret of spec.credential.secretRef"
	}, false},
	{UpstreamNoCredits, metav1.ConditionFalse, v1alpha1.ReasonCreditsExhausted, func(key string) string {
		return "the TARS account of " + key + " has no credits: top it up at https://router.tetrate.ai/billing"
	}, false},
	{UpstreamUnexpected, metav1.ConditionUnknown, v1alpha1.ReasonUnexpectedResponse, func(key string) string {
		return "what answered does not speak as TARS does, so nothing is known about " + key
	}, false},
	{UpstreamRateLimited, metav1.ConditionUnknown, v1alpha1.ReasonRateLimited, func(key string) string {
		return "TARS answers 429, so nothing is known about " + key + " yet"
	}, false},
	{UpstreamImpossible, metav1.ConditionUnknown, v1alpha1.ReasonProbeNotPossible, func(string) string {
		return notPossibleFix + ", or set credential.verification.mode to Disabled"
	}, false},
}

// verifies says whether the key is to be verified.
func verifies(o Observation) bool {
	return o.Backend.Spec.Credential.Verification.Mode != v1alpha1.VerificationDisabled
}

func verificationDisabled() verdict {
	v := pending("spec.credential.verification.mode is Disabled: TARS is not asked")
	v.reason = v1alpha1.ReasonVerificationDisabled
	return v
}

// credentialVerified says whether TARS takes the key that every Envoy puts on.
func credentialVerified(o Observation) verdict {
	if !verifies(o) {
		return verificationDisabled()
	}
	if v := upstreamAsked(o); v != nil {
		return *v
	}
	key := "the key"
	if o.CredentialFingerprint != "" {
		key += " " + o.CredentialFingerprint
	}
	for _, fault := range keyFaults {
		var messages []string
		for _, p := range o.Canary.Upstream {
			if p.Key.Outcome == fault.outcome {
				messages = append(messages, fmt.Sprintf("Envoy %s: %s", p.Envoy, said(p.Key)))
			}
		}
		if len(messages) > 0 {
			return verdict{fault.status, fault.reason, fault.fix(key) + " (" + list(messages) + ")"}
		}
	}
	return upstreamGood(o, func(p UpstreamProbe) UpstreamVerdict { return p.Key },
		"TARS has not told through every Envoy yet whether it takes "+key,
		yes(v1alpha1.ReasonKeyAccepted, "TARS takes "+key+" through every ready Envoy"))
}
