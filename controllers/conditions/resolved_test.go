// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

const disabledText = "Failed to process route rule 1 backendRef 0: Backend is disabled in Envoy Gateway configuration."

func unresolvedFinding(reason string) func(*Observation) {
	return func(o *Observation) {
		o.Unresolved = []Finding{{Reason: reason, Message: "words about " + reason}}
		o.Applied = false
	}
}

var _ = DescribeTable("ResolvedRefs", check,
	Entry("is True when everything is there", func(*Observation) {}, resolved(isTrue, v1alpha1.ReasonResolvedRefs)),
	Entry("is False without the Secret", unresolvedFinding(v1alpha1.ReasonSecretNotFound),
		resolved(isFalse, v1alpha1.ReasonSecretNotFound, "words about SecretNotFound")),
	Entry("is False without the key in the Secret", unresolvedFinding(v1alpha1.ReasonSecretKeyNotFound),
		resolved(isFalse, v1alpha1.ReasonSecretKeyNotFound)),
	Entry("is False for a Secret of another type", unresolvedFinding(v1alpha1.ReasonInvalidSecret),
		resolved(isFalse, v1alpha1.ReasonInvalidSecret)),
	Entry("is False for the sample's placeholder", unresolvedFinding(v1alpha1.ReasonPlaceholderKey),
		resolved(isFalse, v1alpha1.ReasonPlaceholderKey)),
	Entry("is False without the CA", unresolvedFinding(v1alpha1.ReasonCACertificateNotFound),
		resolved(isFalse, v1alpha1.ReasonCACertificateNotFound)),
	Entry("is False for a CA that is none", unresolvedFinding(v1alpha1.ReasonInvalidCACertificate),
		resolved(isFalse, v1alpha1.ReasonInvalidCACertificate)),
	Entry("is False without Envoy Gateway's CRDs", unresolvedFinding(v1alpha1.ReasonEnvoyGatewayNotInstalled),
		resolved(isFalse, v1alpha1.ReasonEnvoyGatewayNotInstalled)),
	Entry("is False with Envoy Gateway's old CRDs", unresolvedFinding(v1alpha1.ReasonEnvoyGatewayTooOld),
		resolved(isFalse, v1alpha1.ReasonEnvoyGatewayTooOld)),
	Entry("names every reference that is missing", func(o *Observation) {
		o.Unresolved = []Finding{
			{Reason: v1alpha1.ReasonSecretNotFound, Message: "no Secret"},
			{Reason: v1alpha1.ReasonCACertificateNotFound, Message: "no CA"},
		}
	}, resolved(isFalse, v1alpha1.ReasonSecretNotFound, "no Secret. Also: no CA")),
	Entry("is False rather than Unknown, whatever comes first", func(o *Observation) {
		o.Unresolved = []Finding{
			{Reason: v1alpha1.ReasonReconcileError, Message: "cannot read the CA", Unknown: true},
			{Reason: v1alpha1.ReasonSecretNotFound, Message: "no Secret"},
		}
	}, resolved(isFalse, v1alpha1.ReasonSecretNotFound, "no Secret")),
	Entry("is Unknown where a reference could not be read", func(o *Observation) {
		o.Unresolved = []Finding{{Reason: v1alpha1.ReasonReconcileError, Message: "cannot read the Secret", Unknown: true}}
	}, resolved(isUnknown, v1alpha1.ReasonReconcileError, "cannot read the Secret")),
	Entry("is Unknown before the references were looked at", func(o *Observation) {
		o.Resolved, o.Parents = false, nil
	}, resolved(isUnknown, v1alpha1.ReasonPending)),
	Entry("is Unknown for a Gateway that was not looked at", func(o *Observation) {
		o.Parents[0].Gateway, o.Parents[0].ControllerName, o.Parents[0].Controlled = nil, "", false
		o.Resolved = false
	}, resolved(isUnknown, v1alpha1.ReasonPending)),
	Entry("is False for a Gateway that does not exist", func(o *Observation) {
		o.Parents[0].Gateway, o.Parents[0].ControllerName, o.Parents[0].Controlled = nil, "", false
	}, resolved(isFalse, v1alpha1.ReasonGatewayNotFound, "Gateway infra/public of spec.parentRefs does not exist")),
	Entry("is False for a GatewayClass that does not exist", func(o *Observation) {
		o.Parents[0].ControllerName, o.Parents[0].Controlled = "", false
	}, resolved(isFalse, v1alpha1.ReasonGatewayClassNotFound, `GatewayClass "eg" of Gateway infra/public`)),
	Entry("does not blame a Gateway when Envoy Gateway's CRDs are missing", func(o *Observation) {
		o.Parents[0].Gateway, o.Parents[0].ControllerName, o.Parents[0].Controlled = nil, "", false
		o.Unresolved = []Finding{{Reason: v1alpha1.ReasonEnvoyGatewayNotInstalled, Message: "no CRDs"}}
	}, resolved(isFalse, v1alpha1.ReasonEnvoyGatewayNotInstalled, "no CRDs")),
	Entry("is False when Envoy Gateway's Backend API is off", func(o *Observation) {
		o.routeSays(cond("ResolvedRefs", isFalse, "UnsupportedValue", disabledText))
	}, resolved(isFalse, v1alpha1.ReasonBackendAPIDisabled, "Gateway infra/public",
		"config.envoyGateway.extensionApis.enableBackend=true")),
	Entry("is True when only an old status says that the Backend API is off", func(o *Observation) {
		o.routeSays(cond("ResolvedRefs", isFalse, "UnsupportedValue", disabledText))
		o.Route.Generation++
	}, resolved(isTrue, v1alpha1.ReasonResolvedRefs)),
)

var _ = Describe("ResolvedRefs without Envoy Gateway's CRDs", func() {
	It("blames no Gateway, which nobody could look for", func() {
		o := good()
		o.Parents[0].Gateway, o.Parents[0].ControllerName, o.Parents[0].Controlled = nil, "", false
		o.Unresolved = []Finding{{Reason: v1alpha1.ReasonEnvoyGatewayNotInstalled, Message: "no CRDs"}}
		Expect(meta.FindStatusCondition(Compute(*o), v1alpha1.ConditionResolvedRefs).Message).To(Equal("no CRDs"))
	})
})
