// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// helmCommand is one of the two Helms, as a user runs it.
type helmCommand struct {
	cluster *testCluster
	binary  string
	home    string
}

// newHelm builds it, or finds it built: tool is its name for test/cluster.
func newHelm(ctx context.Context, cluster *testCluster, tool string) helmCommand {
	GinkgoHelper()
	cmd := exec.CommandContext(ctx, rootDir+"/test/cluster/cluster", "tool", tool)
	cmd.Stderr = GinkgoWriter
	out, err := cmd.Output()
	Expect(err).NotTo(HaveOccurred())
	return helmCommand{cluster: cluster, binary: strings.TrimSpace(string(out)), home: GinkgoT().TempDir()}
}

// run is one command; it has to succeed.
func (h helmCommand) run(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := h.try(ctx, args...)
	Expect(err).NotTo(HaveOccurred(), out)
	return out
}

func (h helmCommand) try(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, h.binary, append(args, "--kubeconfig", h.cluster.kubeconfig, "--namespace", releaseNamespace)...)
	for name, dir := range map[string]string{"HELM_CACHE_HOME": "cache", "HELM_CONFIG_HOME": "config", "HELM_DATA_HOME": "data"} {
		cmd.Env = append(cmd.Env, name+"="+filepath.Join(h.home, dir))
	}
	cmd.Env = append(os.Environ(), cmd.Env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// test is helm test, with a stand-in for the kubelet that ends the pod.
func (h helmCommand) test(ctx context.Context, phase corev1.PodPhase) (string, error) {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.cluster.endPod(ctx, releaseName+"-selftest", phase)
	}()
	defer func() { cancel(); <-ended }()
	return h.try(ctx, "test", releaseName, "--timeout", "60s")
}

// endPod waits for a pod and says that it ended.
func (c *testCluster) endPod(ctx context.Context, name string, phase corev1.PodPhase) {
	defer GinkgoRecover()
	pod := &corev1.Pod{}
	Eventually(ctx, func() error {
		if err := c.api.Get(ctx, client.ObjectKey{Namespace: releaseNamespace, Name: name}, pod); err != nil {
			return err
		}
		pod.Status.Phase = phase
		return c.api.Status().Update(ctx, pod)
	}).WithTimeout(settleTimeout).WithPolling(pollInterval).Should(Succeed())
}

var _ = Describe("The chart on a real API server", Ordered, func() {
	var cluster *testCluster

	BeforeAll(func(ctx SpecContext) {
		cluster = startCluster()
		cluster.makeNamespace(ctx)
	})

	allowed := func(ctx context.Context) string {
		GinkgoHelper()
		return argument(cluster.manager(ctx).Args, "allowed-endpoints")
	}

	for _, tool := range []string{"helm", "helm4"} {
		It("is installed, upgraded, tested, rolled back and uninstalled by "+tool, func(ctx SpecContext) {
			helm := newHelm(ctx, cluster, tool)
			helm.run(ctx, "install", releaseName, chartDir)
			everything := helmTemplate(nil)
			Expect(cluster.present(ctx, everything)).To(HaveLen(len(everything)))
			cluster.expectServed(ctx)

			helm.run(ctx, "upgrade", releaseName, chartDir, "--set", "endpoints.allowed={api.example.com}")
			Expect(allowed(ctx)).To(Equal("api.example.com"))

			out, err := helm.test(ctx, corev1.PodSucceeded)
			Expect(err).NotTo(HaveOccurred(), out)
			Expect(out).To(MatchRegexp(`TEST SUITE: +tars-operator-selftest[^§]*Phase: +Succeeded`))
			out, err = helm.test(ctx, corev1.PodFailed)
			Expect(err).To(HaveOccurred(), out)

			helm.run(ctx, "rollback", releaseName, "1")
			Expect(allowed(ctx)).To(Equal("*.tetrate.ai"))

			helm.run(ctx, "uninstall", releaseName)
			Expect(cluster.present(ctx, everything)).To(Equal([]string{"CustomResourceDefinition.apiextensions.k8s.io /" + crdName}))
			// A pod that failed stays, to be looked at; the next test removes it.
			Expect(client.IgnoreNotFound(cluster.api.Delete(ctx, &corev1.Pod{ObjectMeta: selftestPod(nil).ObjectMeta}))).To(Succeed())
		}, NodeTimeout(buildTimeout))
	}

	It("is installed by Helm 3 and taken over by Helm 4", func(ctx SpecContext) {
		newHelm(ctx, cluster, "helm").run(ctx, "install", releaseName, chartDir)
		helm := newHelm(ctx, cluster, "helm4")
		helm.run(ctx, "upgrade", releaseName, chartDir, "--set", "endpoints.allowed={api.example.com}")
		Expect(allowed(ctx)).To(Equal("api.example.com"))
		helm.run(ctx, "uninstall", releaseName)
	}, NodeTimeout(buildTimeout))
})
