// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// giveBack removes from a Context's cluster what the demo made there.
func (l *Lab) giveBack(ctx context.Context) error {
	if err := l.Preflight(ctx); err != nil {
		return err
	}
	for _, do := range []func(context.Context) error{
		// TarsBackends first: they need the operator to go.
		l.deleteTarsBackends, l.uninstallOperator, l.deleteMarked, l.uninstallGateway,
	} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	work, err := l.workFolder()
	return errors.Join(err, os.RemoveAll(work))
}

func (l *Lab) deleteTarsBackends(ctx context.Context) error {
	known, err := l.Kubectl(ctx, "", "get", "crd", "tarsbackends.gateway.tars.dev", "--ignore-not-found", "-o", "name")
	if err != nil || known == "" {
		return err
	}
	_, err = l.Kubectl(ctx, "", "delete", "tarsbackend", "--all", "-n", DemoNamespace, "--timeout=2m")
	return err
}

// uninstallOperator leaves an operator that was there before, and the CRD as
// long as somebody uses it.
func (l *Lab) uninstallOperator(ctx context.Context) error {
	there, ours, err := l.release(ctx, "tars-operator", OperatorNamespace)
	if err != nil || !there || !ours {
		return err
	}
	used, err := l.Kubectl(ctx, "", "get", "tarsbackends", "--all-namespaces", "-o", "name")
	if err != nil {
		return err
	}
	if used != "" {
		return fmt.Errorf("the operator stays, because there are TarsBackends that the demo did not make: %s",
			strings.Join(strings.Fields(used), ", "))
	}
	if _, err := l.Helm(ctx, "uninstall", "tars-operator", "--namespace", OperatorNamespace, "--wait"); err != nil {
		return err
	}
	_, err = l.Kubectl(ctx, "", "delete", "crd", "tarsbackends.gateway.tars.dev", "--ignore-not-found")
	return err
}

func (l *Lab) deleteMarked(ctx context.Context) error {
	kinds := []string{"namespaces"}
	known, err := l.Kubectl(ctx, "", "get", "crd", "gatewayclasses.gateway.networking.k8s.io", "--ignore-not-found", "-o", "name")
	if err != nil {
		return err
	}
	// The Gateway goes before its class.
	if known != "" {
		if _, err := l.Kubectl(ctx, "", "delete", "gateway", "--all", "-n", DemoNamespace, "--timeout=2m"); err != nil {
			return err
		}
		kinds = append(kinds, "gatewayclasses")
	}
	for _, kind := range kinds {
		// Kubernetes takes its time for a namespace that had pods with a long
		// grace period: nobody waits for it.
		if _, err := l.Kubectl(ctx, "", "delete", kind, "-l", demoLabel+"=made", "--wait=false"); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) uninstallGateway(ctx context.Context) error {
	there, ours, err := l.release(ctx, "eg", gatewayNamespace)
	if err != nil || !there || !ours {
		return err
	}
	if _, err := l.Helm(ctx, "uninstall", "eg", "--namespace", gatewayNamespace, "--wait"); err != nil {
		return err
	}
	l.say("Envoy Gateway is uninstalled; its CRDs and the Gateway API's stay, because others may use them")
	_, err = l.Kubectl(ctx, "", "delete", "namespace", gatewayNamespace, "--wait=false")
	return err
}

// release says whether a Helm release is there, and whether its first revision
// was the demo's.
func (l *Lab) release(ctx context.Context, name, namespace string) (there, ours bool, err error) {
	out, err := l.Helm(ctx, "list", "--all", "--namespace", namespace, "--filter", "^"+name+"$", "--short")
	if err != nil || strings.TrimSpace(out) == "" {
		return false, false, err
	}
	out, err = l.Helm(ctx, "history", name, "--namespace", namespace, "-o", "json")
	if err != nil {
		return false, false, err
	}
	var revisions []struct {
		Description string `json:"description"`
	}
	if err := json.Unmarshal([]byte(out), &revisions); err != nil {
		return false, false, fmt.Errorf("reading the history of Helm release %s: %w", name, err)
	}
	return true, len(revisions) > 0 && revisions[0].Description == demoMark, nil
}
