// SPDX-License-Identifier: Apache-2.0

// Package e2e tries the operator as its users do: on a real Kubernetes with
// the real Envoy Gateway and Envoy, by README's commands. It needs root, and
// it fails where it cannot run. It writes no Envoy configuration and no status
// of anything.
package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

// Names in the cluster.
const (
	gatewayNamespace = "default"
	// gatewayName is a Gateway for all namespaces; README's steps have their own.
	gatewayName = "shared"
	demoKey     = shared.StandInKey
	// setUpTimeout bounds the cluster's set-up with everything to be built.
	setUpTimeout = 45 * time.Minute
)

// world is what the suite runs in.
type world struct {
	*shared.Lab
	root       string
	kubeconfig string
	// tools are the pinned programs by their names.
	tools   map[string]string
	standIn shared.StandIn
	// base is the Gateway's URL from the host.
	base string
}

var lab *world

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(settleTimeout)
	SetDefaultEventuallyPollingInterval(pollInterval)
	RunSpecs(t, "test/e2e")
}

var _ = BeforeSuite(func() {
	ctx, cancel := context.WithTimeout(context.Background(), setUpTimeout)
	defer cancel()
	root, err := filepath.Abs("../..")
	Expect(err).NotTo(HaveOccurred())
	l := &shared.Lab{Name: cmp.Or(os.Getenv("E2E_CLUSTER"), "e2e"), Root: root, Progress: os.Stderr}
	lab = &world{Lab: l, root: root, tools: map[string]string{}}

	// A cluster of an earlier run would hide what a fresh one needs.
	Expect(l.Down(ctx)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		if os.Getenv("E2E_KEEP") == "" {
			_, err := l.Cluster(ctx, "down", "--name", l.Name, "--verify")
			Expect(err).NotTo(HaveOccurred(), "something is left of the cluster")
			Expect(l.Down(ctx)).To(Succeed())
		}
	}, NodeTimeout(commandTimeout))
	Expect(l.Up(ctx)).To(Succeed())
	lab.kubeconfig = l.Kubeconfig
	for _, name := range []string{"kubectl", "helm"} {
		path, err := l.Tool(ctx, name)
		Expect(err).NotTo(HaveOccurred())
		lab.tools[name] = path
	}
	admin, err := l.Forward(ctx, shared.StandInNamespace, "tarsfake", 9090)
	Expect(err).NotTo(HaveOccurred())
	lab.standIn = shared.StandIn{Admin: admin}

	installOperator()
	apply(gatewayNamespace, gatewayManifest(gatewayName))
	kubectl("wait", "-n", gatewayNamespace, "--for=condition=Programmed", "gateway/"+gatewayName, "--timeout=3m")
	lab.base = "http://" + forwardGateway(ctx, gatewayName)
	printVersions()
	startPatience()
})

// installOperator installs the chart as README does.
func installOperator() {
	helm("upgrade", "--install", "tars-operator", "charts/tars-operator",
		"--namespace", shared.OperatorNamespace, "--create-namespace", "--wait")
}

// reconfigureOperator installs the chart with further values, for as long as a
// container of specs takes.
func reconfigureOperator(values ...string) {
	GinkgoHelper()
	upgrade := func(values ...string) {
		GinkgoHelper()
		args := []string{"upgrade", "tars-operator", "charts/tars-operator", "--namespace", shared.OperatorNamespace, "--reset-values", "--wait"}
		for _, value := range values {
			args = append(args, "--set", value)
		}
		helm(args...)
	}
	DeferCleanup(func() { upgrade() })
	upgrade(values...)
}

// forwardGateway makes a Gateway reachable from the host.
func forwardGateway(ctx context.Context, name string) string {
	GinkgoHelper()
	namespace, service, err := lab.GatewayService(ctx, gatewayNamespace, name)
	Expect(err).NotTo(HaveOccurred())
	address, err := lab.Forward(ctx, namespace, service, 80)
	Expect(err).NotTo(HaveOccurred())
	return address
}

// toolPath is PATH with the pinned kubectl and helm in front.
func (w *world) toolPath() string {
	var dirs []string
	for _, path := range w.tools {
		dirs = append(dirs, filepath.Dir(path))
	}
	return strings.Join(append(dirs, os.Getenv("PATH")), string(os.PathListSeparator))
}

// printVersions prints what runs, as the running processes tell it.
func printVersions() {
	envoy := envoyPod(gatewayName)
	gateway := kubectl("get", "pods", "-n", "envoy-gateway-system", "-l", "control-plane=envoy-gateway", "-o", "name")
	fmt.Fprintf(os.Stderr, "versions of what runs:\n  apiserver: %s\n  kubelet: %s\n  Envoy Gateway: %s\n  Envoy: %s\n",
		oneLine(kubectl("get", "--raw", "/version")),
		oneLine(kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.nodeInfo.kubeletVersion}")),
		oneLine(kubectl("exec", "-n", "envoy-gateway-system", strings.TrimSpace(gateway), "--", "envoy-gateway", "version")),
		oneLine(kubectl("exec", "-n", envoy.namespace, envoy.name, "-c", "envoy", "--", "envoy", "--version")))
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// newNamespace makes a namespace for one spec.
func newNamespace(name string) string {
	GinkgoHelper()
	kubectl("create", "namespace", name)
	kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
	DeferCleanup(func() {
		kubectl("delete", "tarsbackend", "--all", "-n", name, "--timeout=2m")
		// Kubernetes looks again only after half of the longest grace period of
		// a pod, and ours is as long as the longest stream: nobody waits for it.
		kubectl("delete", "namespace", name, "--wait=false")
	})
	return name
}
