// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tars-operator/tars-operator/test/lab"
)

// Names that the samples use.
const (
	namespace = "default"
	gateway   = "eg"
	backend   = "tars"
)

// waitTimeout bounds what follows an apply.
const waitTimeout = 3 * time.Minute

type demo struct {
	lab    *lab.Lab
	prompt string
	begin  time.Time
}

// up runs the whole demo.
func (d *demo) up(ctx context.Context) error {
	if _, err := d.lab.Cluster(ctx, "preflight"); err != nil {
		return err
	}
	if os.Getenv("TARS_API_KEY") != "" {
		return errors.New("the local cluster has no way out to the real service: unset TARS_API_KEY for the stand-in, " +
			"or follow README's installation on a cluster of yours")
	}
	if err := d.lab.Up(ctx); err != nil {
		return err
	}
	if err := d.install(ctx); err != nil {
		return err
	}
	url, standIn, err := d.reach(ctx)
	if err != nil {
		return err
	}
	if err := d.show(ctx, url, standIn); err != nil {
		return err
	}
	if err := d.showFailClosed(ctx, url, standIn); err != nil {
		return err
	}
	d.next(url)
	return nil
}

// install follows README's steps.
func (d *demo) install(ctx context.Context) error {
	d.say("installing the chart and the sample ...")
	if _, err := d.lab.Helm(ctx, "upgrade", "--install", "tars-operator", "charts/tars-operator",
		"--namespace", lab.OperatorNamespace, "--create-namespace", "--wait"); err != nil {
		return err
	}
	secret, err := d.lab.Kubectl(ctx, "", "create", "secret", "generic", "tars-api-key", "-n", namespace,
		"--from-literal=apiKey="+lab.StandInKey, "--dry-run=client", "-o", "yaml")
	if err != nil {
		return err
	}
	if _, err := d.lab.Kubectl(ctx, secret, "apply", "-f", "-"); err != nil {
		return err
	}
	applied := time.Now()
	for _, args := range [][]string{
		{"apply", "-n", namespace, "-f", "config/samples/gateway.yaml"},
		{"apply", "-n", namespace, "-f", "config/samples/gateway_v1alpha1_tarsbackend.yaml"},
	} {
		if _, err := d.lab.Kubectl(ctx, "", args...); err != nil {
			return err
		}
	}
	if err := d.waitReady(ctx); err != nil {
		return err
	}
	d.say("kubectl wait --for=condition=Ready tarsbackend/%s: met %.1f s after kubectl apply", backend, time.Since(applied).Seconds())
	return nil
}

// waitReady waits as users do and, when it takes too long, says what is wrong.
func (d *demo) waitReady(ctx context.Context) error {
	_, err := d.lab.Kubectl(ctx, "", "wait", "-n", namespace, "--for=condition=Ready", "tarsbackend/"+backend,
		fmt.Sprintf("--timeout=%.0fs", waitTimeout.Seconds()))
	if err == nil {
		return nil
	}
	status, statusErr := d.lab.Kubectl(ctx, "", "get", "-n", namespace, "tarsbackend", backend, "-o", "wide")
	return errors.Join(fmt.Errorf("%w\n%s", err, status), statusErr)
}

// reach makes the Gateway and the stand-in reachable from the host.
func (d *demo) reach(ctx context.Context) (url string, standIn lab.StandIn, err error) {
	serviceNamespace, service, err := d.lab.GatewayService(ctx, namespace, gateway)
	if err != nil {
		return "", standIn, err
	}
	address, err := d.lab.Forward(ctx, serviceNamespace, service, 80)
	if err != nil {
		return "", standIn, err
	}
	standIn.Admin, err = d.lab.Forward(ctx, lab.StandInNamespace, "tarsfake", 9090)
	return "http://" + address, standIn, err
}

// showFailClosed takes the external processor away for a moment: the request
// must fail, and nothing may reach the upstream.
func (d *demo) showFailClosed(ctx context.Context, url string, standIn lab.StandIn) error {
	d.say("\nwithout the external processor (scaled to zero):")
	if err := d.scale(ctx, 0); err != nil {
		return err
	}
	if err := standIn.Forget(ctx); err != nil {
		return err
	}
	a, err := d.ask(ctx, url, false)
	if err != nil {
		return err
	}
	seen, err := standIn.Ledger(ctx, "")
	if err != nil {
		return err
	}
	d.say("  HTTP %d, x-tarsbackend-error-source: %s\n  %s", a.status, a.header.Get("x-tarsbackend-error-source"), a.body)
	d.say("  requests that reached the upstream: %d", len(seen))
	if a.status < 500 || len(seen) != 0 {
		return errors.New("a request got through without the external processor")
	}
	if err := d.scale(ctx, 2); err != nil {
		return err
	}
	return d.waitReady(ctx)
}

// scale changes the number of replicas as a user would: in the TarsBackend.
func (d *demo) scale(ctx context.Context, replicas int) error {
	patch := fmt.Sprintf(`{"spec":{"extProc":{"replicas":%d}}}`, replicas)
	if _, err := d.lab.Kubectl(ctx, "", "patch", "-n", namespace, "tarsbackend", backend, "--type=merge", "-p", patch); err != nil {
		return err
	}
	if replicas > 0 {
		return nil
	}
	_, err := d.lab.Kubectl(ctx, "", "wait", "-n", namespace, "--for=jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=ScaledToZero",
		"tarsbackend/"+backend, "--timeout=60s")
	return err
}

// next says what to try.
func (d *demo) next(url string) {
	d.say(strings.TrimSpace(`
done in %.0f s. What to try next:

  export KUBECONFIG=%s
  kubectl get tarsbackend -o wide
  kubectl describe tarsbackend %s
  curl %s/v1/models
  curl %s/v1/chat/completions -H 'content-type: application/json' \
    -d '{"model": "fast", "messages": [{"role": "user", "content": "Hello"}]}'
  kubectl delete secret tars-api-key      # revokes the key; see what the status says

  make demo-down                          # leaves nothing behind
`), time.Since(d.begin).Seconds(), d.lab.Kubeconfig, backend, url, url)
}

func (d *demo) say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
