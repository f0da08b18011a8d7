// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"os/exec"

	"github.com/tars-operator/tars-operator/test/cluster/internal/build"
)

// installTimeout is Helm's, for Envoy Gateway to be ready.
const installTimeout = "5m"

// gateway installs Envoy Gateway by its own chart, and a GatewayClass.
func gateway(ctx context.Context, e env, args []string) error {
	var noBackendAPI bool
	rest, err := parse("gateway", args, func(set *flag.FlagSet) {
		set.BoolVar(&noBackendAPI, "no-backend-api", false, "")
	})
	if err := none("gateway", rest, err); err != nil {
		return err
	}
	if _, err := e.nodePID(); err != nil {
		return err
	}
	var helm, chart string
	return e.steps(ctx, []step{
		{"Helm and the chart", func(ctx context.Context) (err error) {
			if helm, err = e.tool(ctx, "helm"); err != nil {
				return err
			}
			chart, err = e.tool(ctx, "gateway-chart")
			return err
		}},
		{"Envoy Gateway " + build.EnvoyGatewayVersion, func(ctx context.Context) error {
			cmd := exec.CommandContext(ctx, helm, "--kubeconfig", e.layout.Kubeconfig(), "upgrade", "--install", "eg", chart,
				"--namespace", "envoy-gateway-system", "--create-namespace", "--wait", "--timeout", installTimeout,
				"--set", "global.images.envoyProxy.image="+build.EnvoyImage,
				"--set", fmt.Sprintf("config.envoyGateway.extensionApis.enableBackend=%t", !noBackendAPI))
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("helm: %w: %s", err, out)
			}
			return nil
		}},
		{"GatewayClass eg", func(ctx context.Context) error {
			_, err := e.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", e.manifest("gatewayclass.yaml"))
			return err
		}},
	})
}
