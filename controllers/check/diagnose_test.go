// SPDX-License-Identifier: Apache-2.0

package check

import (
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/docs"
)

// withStatus is a TarsBackend of generation 2 with a current status.
func withStatus(all ...metav1.Condition) *v1alpha1.TarsBackend {
	b := &v1alpha1.TarsBackend{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "llm", Generation: 2},
		Spec: v1alpha1.TarsBackendSpec{
			ParentRefs: []gatewayv1.ParentReference{{Name: "edge", Namespace: new(gatewayv1.Namespace("gateways"))}},
			Credential: v1alpha1.Credential{SecretRef: v1alpha1.SecretKeyReference{Name: "llm-key", Key: "apiKey"}},
		},
		Status: v1alpha1.TarsBackendStatus{ObservedGeneration: 2, Conditions: all},
	}
	for i := range all {
		all[i].ObservedGeneration = 2
	}
	return b
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

var _ = Describe("A TarsBackend is diagnosed", func() {
	It("as nothing where it is Ready", func() {
		Expect(diagnose(withStatus(condition("Ready", metav1.ConditionTrue, "Ready", "")))).To(BeNil())
	})

	It("with the layer that Ready quotes, the runbook's fix, and the command with its own names", func() {
		p := diagnose(withStatus(
			condition("Accepted", metav1.ConditionUnknown, "Pending", "nothing"),
			condition("ResolvedRefs", metav1.ConditionFalse, "SecretNotFound", "Secret prod/llm-key does not exist"),
			condition("Ready", metav1.ConditionFalse, "SecretNotFound", "Secret prod/llm-key does not exist"),
		))
		Expect(*p).To(And(
			HaveField("Layer", HaveSuffix("(condition ResolvedRefs)")),
			HaveField("Reason", "SecretNotFound"),
			HaveField("Message", "Secret prod/llm-key does not exist"),
			HaveField("Look", "kubectl get secret -n prod llm-key"),
			HaveField("Fix", Not(BeEmpty())),
		))
	})

	DescribeTable("as without a manager", func(change func(*v1alpha1.TarsBackend), words string) {
		b := withStatus(condition("Ready", metav1.ConditionTrue, "Ready", ""))
		change(b)
		p := diagnose(b)
		Expect(*p).To(And(HaveField("Reason", reasonNoManager), HaveField("Layer", "manager"), HaveField("Message", ContainSubstring(words)),
			HaveField("Look", ContainSubstring("kubectl logs"))))
	},
		Entry("before any has looked", func(b *v1alpha1.TarsBackend) { b.Status = v1alpha1.TarsBackendStatus{ObservedGeneration: -1} }, "no manager has looked"),
		Entry("without a status", func(b *v1alpha1.TarsBackend) { b.Status = v1alpha1.TarsBackendStatus{} }, "no manager has looked"),
		Entry("after a change that none has looked at", func(b *v1alpha1.TarsBackend) { b.Generation = 3 }, "generation 2, and the spec is at 3"),
	)

	It("as paused", func() {
		b := withStatus(condition("Ready", metav1.ConditionUnknown, "Paused", "stopped"), condition("Accepted", metav1.ConditionUnknown, "Paused", "stopped"))
		b.Annotations = map[string]string{v1alpha1.AnnotationPaused: "true"}
		Expect(*diagnose(b)).To(And(HaveField("Layer", "manager"), HaveField("Fix", "`kubectl annotate tarsbackend -n prod llm gateway.tars.dev/paused-`")))
	})

	It("as being deleted", func() {
		b := withStatus(condition("Ready", metav1.ConditionTrue, "Ready", ""))
		b.DeletionTimestamp = new(metav1.Now())
		Expect(diagnose(b).Reason).To(Equal(reasonDeleted))
	})

	It("with what was seen besides, but not what the status says already", func() {
		seen := conditions.Observation{Backend: withStatus(), Resolved: true, Unresolved: []conditions.Finding{
			{Reason: v1alpha1.ReasonSecretNotFound, Message: "no Secret"},
		}}
		Expect(own(seen, nil)).To(Equal([]Complaint{{Name: "SecretNotFound", Message: "no Secret"}}))
		Expect(own(seen, &Problem{Reason: "EndpointNotAllowed"})).To(HaveLen(1))
		Expect(own(seen, &Problem{Reason: "SecretNotFound"})).To(BeEmpty())
	})
})

var _ = Describe("The runbook's advice", func() {
	It("has a command and a fix for each reason, in this TarsBackend's names", func() {
		b := withStatus()
		b.Spec.Endpoint.TLS = &v1alpha1.EndpointTLS{Validation: &v1alpha1.EndpointTLSValidation{
			CACertificateRefs: []gatewayv1.LocalObjectReference{{Kind: "ConfigMap", Name: "corp-ca"}},
		}}
		reasons, _, _ := strings.Cut(docs.Runbook, "\n## Alerts\n")
		headings := regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(reasons, -1)
		Expect(len(headings)).To(BeNumerically(">", 30))
		for _, heading := range headings {
			a := adviceOn(heading[1], b)
			Expect(a.look).To(HavePrefix("kubectl "), heading[1])
			Expect(a.fix).NotTo(BeEmpty(), heading[1])
			for _, text := range []string{a.look, a.fix} {
				Expect(text).NotTo(MatchRegexp(`(-n|/) ?(team|infra)\b| (tars|public|tars-extproc|tars-api-key|tars-ca)( |$)`), heading[1])
				Expect(text).NotTo(ContainSubstring("]("), heading[1])
			}
		}
	})

	It("names the Gateway that the status is about", func() {
		b := withStatus()
		good, bad := condition("Accepted", metav1.ConditionTrue, "Accepted", ""), condition("Accepted", metav1.ConditionFalse, "ListenerRefused", "")
		Expect(adviceOn("ListenerRefused", b).look).To(HavePrefix("kubectl get gateway -n gateways edge "))
		b.Status.Parents = []v1alpha1.ParentStatus{
			{ParentRef: b.Spec.ParentRefs[0], Conditions: []metav1.Condition{good}},
			{ParentRef: gatewayv1.ParentReference{Name: "own"}, Conditions: []metav1.Condition{good, bad}},
		}
		Expect(adviceOn("ListenerRefused", b).look).To(HavePrefix("kubectl get gateway -n prod own "))
	})

	It("leaves names alone that only look like the runbook's", func() {
		Expect(adviceOn("StaleConfiguration", withStatus()).look).To(And(
			ContainSubstring("-l gateway.tars.dev/tarsbackend=llm"), ContainSubstring(`gateway\.tars\.dev/config-hash`), ContainSubstring("-n prod ")))
		Expect(adviceOn("EndpointNotAllowed", withStatus()).look).To(ContainSubstring("-n tars-system tars-operator-controller-manager"))
		Expect(adviceOn("NoSuchReason", withStatus())).To(Equal(advice{}))
	})
})
