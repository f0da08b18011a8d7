// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tars-operator/tars-operator/test/cluster/internal/build"
)

// Time bounds, generous for a busy machine of two cores.
const (
	apiserverTimeout = 2 * time.Minute
	nodeTimeout      = 3 * time.Minute
	installTimeout   = "5m"
)

// kubectl runs kubectl as the cluster's administrator.
func (e env) kubectl(args ...string) (string, error) {
	kubectl, err := e.tool("kubectl")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(kubectl, append([]string{"--kubeconfig", e.layout.Kubeconfig()}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

func (e env) manifest(name string) string {
	return filepath.Join(e.builder.Root, "test/cluster/manifests", name)
}

func (e env) waitForAPIServer() error {
	return waitFor("the apiserver", apiserverTimeout, func() error {
		_, err := e.kubectl("get", "--raw", "/readyz")
		return err
	})
}

func (e env) installDNS() error {
	_, err := e.kubectl("apply", "--server-side", "-f", e.manifest("coredns.yaml"))
	return err
}

func (e env) waitForNode() error {
	// The node registers itself some time after the apiserver is up.
	if err := waitFor("the node", nodeTimeout, func() error {
		_, err := e.kubectl("get", "node", "node")
		return err
	}); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"wait", "--for=condition=Ready", "node/node", "--timeout=3m"},
		{"rollout", "status", "--namespace", "kube-system", "deployment/coredns", "--timeout=3m"},
	} {
		if _, err := e.kubectl(args...); err != nil {
			return err
		}
	}
	return nil
}

// gateway installs Envoy Gateway by its own chart, and a GatewayClass.
func gateway(e env, args []string) error {
	var noBackendAPI bool
	if _, err := flags("gateway", args, func(set *flag.FlagSet) {
		set.BoolVar(&noBackendAPI, "no-backend-api", false, "leave Envoy Gateway's Backend API off")
	}); err != nil {
		return err
	}
	helm, err := e.tool("helm")
	if err != nil {
		return err
	}
	chart, err := e.tool("gateway-chart")
	if err != nil {
		return err
	}
	return e.steps([]step{
		{"Envoy Gateway " + build.EnvoyGatewayVersion, func() error {
			cmd := exec.Command(helm, "--kubeconfig", e.layout.Kubeconfig(), "upgrade", "--install", "eg", chart,
				"--namespace", "envoy-gateway-system", "--create-namespace", "--wait", "--timeout", installTimeout,
				"--set", "global.images.envoyProxy.image="+build.EnvoyImage,
				"--set", fmt.Sprintf("config.envoyGateway.extensionApis.enableBackend=%t", !noBackendAPI))
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("helm: %w: %s", err, out)
			}
			return nil
		}},
		{"GatewayClass eg", func() error {
			_, err := e.kubectl("apply", "--server-side", "-f", e.manifest("gatewayclass.yaml"))
			return err
		}},
	})
}

// kubeconfig prints the path of the administrator's kubeconfig.
func kubeconfig(e env, _ []string) error {
	if _, err := e.nodePID(); err != nil {
		return err
	}
	fmt.Println(e.layout.Kubeconfig())
	return nil
}

// status prints what runs.
func status(e env, _ []string) error {
	pid, err := e.nodePID()
	if err != nil {
		return err
	}
	fmt.Printf("cluster %s: process %s\nkubeconfig: %s\nlogs: %s\n", e.layout.Name, pid, e.layout.Kubeconfig(), e.layout.Logs())
	for _, args := range [][]string{{"version"}, {"get", "nodes", "-o", "wide"}, {"get", "pods", "--all-namespaces"}} {
		out, err := e.kubectl(args...)
		if err != nil {
			return err
		}
		fmt.Fprint(os.Stdout, out)
	}
	return nil
}
