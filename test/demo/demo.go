// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tars-operator/tars-operator/test/lab"
)

// Names that the samples use.
const (
	gateway = "eg"
	backend = "tars"
)

// waitTimeout bounds what follows an apply.
const waitTimeout = 3 * time.Minute

type demo struct {
	lab *lab.Lab
	// key is the real service's; empty: there is a stand-in.
	key           string
	model, prompt string
	begin         time.Time

	// namespace is where Gateway and TarsBackend are.
	namespace string
	// standIn is nil where the real service is used.
	standIn *lab.StandIn
}

// up runs the whole demo.
func (d *demo) up(ctx context.Context) error {
	if err := d.lab.Preflight(ctx); err != nil {
		return err
	}
	if err := d.lab.Up(ctx); err != nil {
		return err
	}
	if err := d.install(ctx); err != nil {
		return err
	}
	url, err := d.reach(ctx)
	if err != nil {
		return err
	}
	if err := d.show(ctx, url); err != nil {
		return err
	}
	if err := d.showFailClosed(ctx, url); err != nil {
		return err
	}
	d.next(url)
	return nil
}

// install follows README's steps.
func (d *demo) install(ctx context.Context) error {
	d.say("installing the chart and the sample ...")
	var values []string
	if d.borrowsStandIn() {
		values = append(values, "--set", "endpoints.allowed={"+lab.StandInHost+"}")
	}
	if err := d.lab.InstallOperator(ctx, values...); err != nil {
		return err
	}
	applied := time.Now()
	manifests, err := d.manifests(ctx)
	if err != nil {
		return err
	}
	for _, manifest := range manifests {
		// By standard input: the key must not be in a list of arguments.
		if _, err := d.lab.Kubectl(ctx, manifest, "apply", "-n", d.namespace, "-f", "-"); err != nil {
			return err
		}
	}
	// An interrupted run may have left it scaled to zero, which apply leaves alone.
	if err := d.patch(ctx, `{"spec":{"extProc":null}}`); err != nil {
		return err
	}
	if err := d.waitReady(ctx); err != nil {
		return err
	}
	d.say("kubectl wait --for=condition=Ready tarsbackend/%s: met %.1f s after kubectl apply", backend, time.Since(applied).Seconds())
	return nil
}

// waitReady waits as users do and, when it takes too long, says what is wrong.
func (d *demo) waitReady(ctx context.Context) error {
	_, err := d.lab.Kubectl(ctx, "", "wait", "-n", d.namespace, "--for=condition=Ready", "tarsbackend/"+backend,
		fmt.Sprintf("--timeout=%.0fs", waitTimeout.Seconds()))
	if err == nil {
		return nil
	}
	status, statusErr := d.lab.Kubectl(ctx, "", "get", "-n", d.namespace, "tarsbackend", backend, "-o", "wide")
	return errors.Join(fmt.Errorf("%w\n%s", err, status), statusErr)
}

// reach makes the Gateway and the stand-in reachable from the host.
func (d *demo) reach(ctx context.Context) (url string, err error) {
	serviceNamespace, service, err := d.lab.GatewayService(ctx, d.namespace, gateway)
	if err != nil {
		return "", err
	}
	address, err := d.lab.Forward(ctx, serviceNamespace, service, 80)
	if err != nil || d.key != "" {
		return "http://" + address, err
	}
	admin, err := d.lab.Forward(ctx, lab.StandInNamespace, "tarsfake", 9090)
	d.standIn = &lab.StandIn{Admin: admin}
	return "http://" + address, err
}

// showFailClosed takes the external processor away for a moment: the request
// must fail, and nothing may reach the upstream.
func (d *demo) showFailClosed(ctx context.Context, url string) error {
	d.say("\nwithout the external processor (scaled to zero):")
	if err := d.scale(ctx, 0); err != nil {
		return err
	}
	if d.standIn != nil {
		if err := d.standIn.Forget(ctx); err != nil {
			return err
		}
	}
	a, err := d.askUntilRefused(ctx, url)
	if err != nil {
		return err
	}
	d.say("  HTTP %d, x-tarsbackend-error-source: %s\n  %s", a.status, a.header.Get("x-tarsbackend-error-source"), a.body)
	if d.standIn != nil {
		seen, err := d.standIn.Ledger(ctx, "")
		if err != nil {
			return err
		}
		d.say("  requests that reached the upstream: %d", len(seen))
		if len(seen) != 0 {
			return errors.New("a request got through without the external processor")
		}
	}
	if err := d.scale(ctx, 2); err != nil {
		return err
	}
	return d.waitReady(ctx)
}

// askUntilRefused asks as long as Envoy Gateway's policies are on their way to
// Envoy. No answer may be a good one.
func (d *demo) askUntilRefused(ctx context.Context, url string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		a, err := d.ask(ctx, url, false)
		switch {
		case err != nil:
			return a, err
		case a.status < http.StatusInternalServerError:
			return a, fmt.Errorf("a request was answered with HTTP %d without the external processor", a.status)
		case a.status == http.StatusServiceUnavailable:
			return a, nil
		}
		select {
		case <-ctx.Done():
			return a, fmt.Errorf("the last answer was HTTP %d: %s: %w", a.status, a.body, ctx.Err())
		case <-tick.C:
		}
	}
}

// scale changes the number of replicas as a user would: in the TarsBackend.
func (d *demo) scale(ctx context.Context, replicas int) error {
	if err := d.patch(ctx, fmt.Sprintf(`{"spec":{"extProc":{"replicas":%d}}}`, replicas)); err != nil || replicas > 0 {
		return err
	}
	// Pods that end serve on until Envoy has lost sight of them.
	_, err := d.lab.Kubectl(ctx, "", "wait", "-n", d.namespace, "--for=delete", "pod", "-l", "gateway.tars.dev/tarsbackend="+backend,
		fmt.Sprintf("--timeout=%.0fs", waitTimeout.Seconds()))
	return err
}

func (d *demo) patch(ctx context.Context, patch string) error {
	_, err := d.lab.Kubectl(ctx, "", "patch", "-n", d.namespace, "tarsbackend", backend, "--type=merge", "-p", patch)
	return err
}

// next says what to try.
func (d *demo) next(url string) {
	use, down := "export KUBECONFIG="+d.lab.Kubeconfig, "make demo-down                          # leaves nothing behind"
	if d.lab.Context != "" {
		use = fmt.Sprintf("kubectl config use-context %s && kubectl config set-context --current --namespace %s", d.lab.Context, d.namespace)
		down = fmt.Sprintf("DEMO_CONTEXT=%s make demo-down     # removes what the demo made", d.lab.Context)
		url = "$(kubectl get tarsbackend " + backend + ` -o jsonpath='{.status.urls[0].url}' | sed 's|/v1$||')`
	}
	d.say(strings.TrimSpace(`
done in %.0f s. What to try next:

  %s
  kubectl get tarsbackend -o wide
  kubectl describe tarsbackend %s
  curl %s/v1/models
  curl %s/v1/chat/completions -H 'content-type: application/json' \
    -d '{"model": "fast", "messages": [{"role": "user", "content": "Hello"}]}'
  kubectl delete secret tars-api-key      # revokes the key; see what the status says

  %s
`), time.Since(d.begin).Seconds(), use, backend, url, url, down)
}

func (d *demo) say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
