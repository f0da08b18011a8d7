// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// child is a document of a golden file of the operator's builders.
func child(kind string, into any) {
	GinkgoHelper()
	for _, document := range regexp.MustCompile(`(?m)^---$\n?`).Split(read(root+"/controllers/desired/testdata/minimal.out.yaml"), -1) {
		meta := metav1.TypeMeta{}
		Expect(yaml.Unmarshal([]byte(document), &meta)).To(Succeed())
		if meta.Kind == kind {
			Expect(yaml.UnmarshalStrict([]byte(document), into)).To(Succeed())
			return
		}
	}
	Fail("the golden file has no " + kind)
}

var _ = Describe("The PodMonitor", func() {
	var (
		monitor struct {
			Spec struct {
				Selector            metav1.LabelSelector
				PodMetricsEndpoints []struct{ Path, Port string }
			}
		}
		deployment appsv1.Deployment
		port       corev1.ContainerPort
	)

	BeforeEach(func() {
		Expect(yaml.Unmarshal([]byte(read(root+"/config/prometheus/extproc_monitor.yaml")), &monitor)).To(Succeed())
		deployment = appsv1.Deployment{}
		child("Deployment", &deployment)
		Expect(monitor.Spec.PodMetricsEndpoints).To(HaveLen(1))
		for _, p := range deployment.Spec.Template.Spec.Containers[0].Ports {
			if p.Name == monitor.Spec.PodMetricsEndpoints[0].Port {
				port = p
			}
		}
	})

	It("selects the external processor's pods, and a port that they have", func() {
		selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
		Expect(err).NotTo(HaveOccurred())
		Expect(selector.Empty()).To(BeFalse())
		Expect(selector.Matches(labels.Set(deployment.Spec.Template.Labels))).To(BeTrue())
		Expect(port.ContainerPort).NotTo(BeZero())
		Expect(deployment.Spec.Template.Spec.Containers[0].Args).To(ContainElement(HaveSuffix(":9003")))
		Expect(port.ContainerPort).To(BeNumerically("==", 9003))
	})

	It("is let in by the pods' NetworkPolicy, from every namespace", func() {
		policy := networkingv1.NetworkPolicy{}
		child("NetworkPolicy", &policy)
		Expect(policy.Spec.Ingress).To(ContainElement(And(
			HaveField("From", BeEmpty()),
			HaveField("Ports", ConsistOf(HaveField("Port.IntVal", port.ContainerPort))),
		)))
	})
})
