// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"os/exec"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// selftestPod is what helm test runs.
func selftestPod(v values) *corev1.Pod {
	GinkgoHelper()
	out, err := installation{values: v}.template()
	Expect(err).NotTo(HaveOccurred())
	Expect(out.hooks).To(HaveLen(1))
	pod := &corev1.Pod{}
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(out.hooks[0].Object, pod, true)).To(Succeed())
	return pod
}

// selftest runs the pod's command as the kubelet would, apart from where.
func (c *testCluster) selftest(ctx context.Context, binary string, v values, further ...string) (string, error) {
	GinkgoHelper()
	pod := selftestPod(v)
	args := append([]string{"selftest", "--kubeconfig=" + c.kubeconfigOf(c.token(ctx, pod.Spec.ServiceAccountName))}, further...)
	Expect(pod.Spec.Containers[0].Args[0]).To(Equal("selftest"))
	out, err := exec.CommandContext(ctx, binary, append(args, pod.Spec.Containers[0].Args[1:]...)...).CombinedOutput()
	return string(out), err
}

var _ = Describe("What helm test runs", func() {
	It("is the manager's image as the manager's ServiceAccount, and is taken for no manager", func() {
		for _, file := range append(valuesFiles(), "") {
			var v values
			if file != "" {
				v = readValues(file)
			}
			pod, manager := selftestPod(v), decode(helmTemplate(v))
			Expect(pod.Spec.Containers[0].Image).To(Equal(manager.manager().Image))
			Expect(pod.Spec.ServiceAccountName).To(Equal(manager.pod().ServiceAccountName))
			Expect(pod.Spec.ImagePullSecrets).To(Equal(manager.pod().ImagePullSecrets))
			Expect(labels.SelectorFromSet(manager.deployment().Spec.Selector.MatchLabels).Matches(labels.Set(pod.Labels))).To(BeFalse())
			Expect(pod.Annotations).To(HaveKeyWithValue("helm.sh/hook", "test"))
			Expect(pod.Spec.RestartPolicy).To(Equal(corev1.RestartPolicyNever))
		}
	})

	It("knows how the manager runs", func() {
		Expect(selftestPod(nil).Spec.Containers[0].Args).To(Equal([]string{"selftest", "--leader-election-namespace=tars-system"}))
		Expect(selftestPod(only("leaderElection.enabled", false)).Spec.Containers[0].Args).To(Equal([]string{"selftest"}))
		Expect(selftestPod(only("watchNamespaces", []any{"a", "b"})).Spec.Containers[0].Args).To(ContainElement("--namespaces=a,b"))
	})
})

// admitsSelftest asks for helm test's pod, without storing it.
func (c *testCluster) admitsSelftest(ctx context.Context) error {
	GinkgoHelper()
	return c.api.Create(ctx, selftestPod(nil), client.DryRunAll)
}
