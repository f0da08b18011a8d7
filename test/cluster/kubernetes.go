// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Time bounds, generous for a busy machine of two cores.
const (
	apiserverTimeout = 3 * time.Minute
	nodeTimeout      = 3 * time.Minute
	// pollInterval is how often a state is looked at that nothing announces.
	pollInterval = 200 * time.Millisecond
)

// kubectl runs kubectl as the cluster's administrator.
func (e env) kubectl(ctx context.Context, args ...string) (string, error) {
	kubectl, err := e.tool(ctx, "kubectl")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, kubectl, append([]string{"--kubeconfig", e.layout.Kubeconfig()}, args...)...)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out), err
}

func (e env) manifest(name string) string {
	return filepath.Join(e.builder.Root, "test/cluster/manifests", name)
}

// waitForAPIServer gives up early when the cluster's first process has ended.
func (e env) waitForAPIServer(ctx context.Context) error {
	return waitFor(ctx, apiserverTimeout, func(ctx context.Context) (bool, error) {
		if _, err := e.nodePID(); err != nil {
			return true, fmt.Errorf("the node's first process has ended: %s", lastLine(e.nodeLog()))
		}
		_, err := e.kubectl(ctx, "get", "--raw", "/readyz")
		return false, err
	})
}

// lastLine is what a program said last.
func lastLine(log string) string {
	content, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return lines[len(lines)-1]
}

func (e env) installDNS(ctx context.Context) error {
	_, err := e.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", e.manifest("coredns.yaml"))
	return err
}

func (e env) waitForNode(ctx context.Context, names aliases) error {
	// The node registers itself some time after the apiserver is up.
	if err := waitFor(ctx, nodeTimeout, func(ctx context.Context) (bool, error) {
		_, err := e.kubectl(ctx, "get", "node", "node")
		return false, err
	}); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"wait", "--for=condition=Ready", "node/node", "--timeout=3m"},
		{"rollout", "status", "--namespace", "kube-system", "deployment/coredns", "--timeout=3m"},
	} {
		if _, err := e.kubectl(ctx, args...); err != nil {
			return err
		}
	}
	return e.setAliases(ctx, names)
}

// waitFor tries until it succeeds, at most for a time, or until an error is
// final.
func waitFor(ctx context.Context, limit time.Duration, try func(ctx context.Context) (final bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		final, err := try(ctx)
		if err == nil || final {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited up to %s: %w", limit, err)
		case <-ticker.C:
		}
	}
}

// kubeconfig prints the path of the administrator's kubeconfig.
func kubeconfig(_ context.Context, e env, args []string) error {
	if err := none("kubeconfig", args, nil); err != nil {
		return err
	}
	if _, err := e.nodePID(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(e.out, e.layout.Kubeconfig())
	return err
}

// status prints what runs.
func status(ctx context.Context, e env, args []string) error {
	if err := none("status", args, nil); err != nil {
		return err
	}
	pid, err := e.nodePID()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.out, "cluster %s: process %d\nkubeconfig: %s\nlogs: %s\n",
		e.layout.Name, pid, e.layout.Kubeconfig(), e.layout.Logs()); err != nil {
		return err
	}
	for _, args := range [][]string{{"version"}, {"get", "nodes", "-o", "wide"}, {"get", "pods", "--all-namespaces"}} {
		out, err := e.kubectl(ctx, args...)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprint(e.out, out); err != nil {
			return err
		}
	}
	return nil
}
