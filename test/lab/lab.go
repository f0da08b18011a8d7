// SPDX-License-Identifier: Apache-2.0

// Package lab sets up the place in which the demo and the end-to-end suite
// run: the local cluster of test/cluster with Envoy Gateway, the images of
// this checkout, and the stand-in for TARS under TARS's own name.
package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Names in the cluster.
const (
	// StandInKey is a key that the stand-in takes.
	StandInKey = "sk-tarsfake-demo"
	// StandInNamespace is where the stand-in runs.
	StandInNamespace = "tarsfake"
	// OperatorNamespace is where README installs the chart.
	OperatorNamespace = "tars-system"

	operatorProgram = "tars-operator"

	operatorImage = "ghcr.io/tars-operator/tars-operator"
	standInImage  = "tarsfake:dev"
	endpoint      = "api.router.tetrate.ai"
)

// Lab is a cluster and what the demo or the suite put into it.
type Lab struct {
	// Name is the local cluster's name.
	Name string
	// Context is one of kubectl's contexts: that cluster is used, and no local
	// one is made.
	Context string
	// Images are used in a Context whose cluster we cannot bring images into.
	Images Images
	// Outside is set where the real service is used: no stand-in is deployed.
	Outside *Outside
	// Confirm asks a human before what is there already is changed. It is
	// needed with Context.
	Confirm func(question string) error
	// Root is the checkout's top folder.
	Root string
	// Progress takes the lines about steps and times.
	Progress io.Writer
	// Version is the chart's appVersion and the operator's image tag.
	Version string

	// Kubeconfig is set once the cluster is up.
	Kubeconfig string
	// Work is a folder for what was built; it is removed with the cluster's
	// next start.
	Work string

	// tools are the paths of programs by their names.
	tools map[string]string
}

// step is one thing that Up does.
type step struct {
	title string
	do    func(context.Context) error
}

// Images are references that the cluster can pull.
type Images struct{ Operator, StandIn string }

// Outside is how the local cluster gets to the real service.
type Outside struct {
	// Via is what is dialled instead of the service's own name; empty: that.
	Via string
	// TrustCA is a PEM file of further authorities that Envoy trusts, those of
	// a proxy that opens TLS for example; empty: none.
	TrustCA string
}

// target is what is dialled.
func (o *Outside) target() string {
	if o.Via != "" {
		return o.Via
	}
	return endpoint + ":443"
}

// Up brings the cluster, Envoy Gateway and the stand-in up, and loads the
// images of this checkout. A second call only does what has changed.
func (l *Lab) Up(ctx context.Context) error {
	version, err := l.appVersion()
	if err != nil {
		return err
	}
	l.Version = version
	if l.Work, err = l.workFolder(); err != nil {
		return err
	}
	if l.Context != "" {
		return l.run(ctx, l.borrowSteps())
	}
	upstream := step{"the stand-in for TARS", l.standInWithName}
	if l.Outside != nil {
		upstream = step{"a way out to " + endpoint, l.openWayOut}
	}
	return l.run(ctx, []step{
		{"the images of this checkout", l.buildImages},
		{"Kubernetes", l.startCluster},
		{"loading the images", l.loadImages},
		{"Envoy Gateway", l.installGateway},
		upstream,
	})
}

func (l *Lab) run(ctx context.Context, steps []step) error {
	begin := time.Now()
	for n, s := range steps {
		from := time.Now()
		l.say("step %d of %d: %s ...", n+1, len(steps), s.title)
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
		l.say("step %d of %d: %s took %.0f s (%.0f s in all)", n+1, len(steps), s.title,
			time.Since(from).Seconds(), time.Since(begin).Seconds())
	}
	return nil
}

func (l *Lab) say(format string, args ...any) {
	_, _ = fmt.Fprintf(l.Progress, format+"\n", args...)
}

// Down ends the cluster and removes all of it. Of a Context's cluster it
// removes what Up and the demo made.
func (l *Lab) Down(ctx context.Context) error {
	if l.Context != "" {
		return l.giveBack(ctx)
	}
	_, err := l.Cluster(ctx, "down", "--name", l.Name)
	if work, workErr := l.workFolder(); workErr == nil {
		err = errors.Join(err, os.RemoveAll(work))
	}
	return err
}

// Cluster runs a command of test/cluster.
func (l *Lab) Cluster(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(l.Root, "test/cluster/cluster"), args...)
	cmd.Stderr = l.Progress
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("test/cluster/cluster %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Tool is the path of a pinned program; it is built if needed. With a Context
// kubectl and Helm are the user's own.
func (l *Lab) Tool(ctx context.Context, name string) (string, error) {
	if l.Context != "" && (name == "kubectl" || name == "helm") {
		return exec.LookPath(name)
	}
	if path, ok := l.tools[name]; ok {
		return path, nil
	}
	path, err := l.Cluster(ctx, "tool", name)
	if err != nil {
		return "", err
	}
	if l.tools == nil {
		l.tools = map[string]string{}
	}
	l.tools[name] = path
	return path, nil
}

// Kubectl runs kubectl; stdin may be empty.
func (l *Lab) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	kubectl, err := l.Tool(ctx, "kubectl")
	if err != nil {
		return "", err
	}
	if l.Context != "" {
		args = append([]string{"--context", l.Context}, args...)
	}
	return l.command(ctx, stdin, kubectl, args...)
}

// Helm runs Helm.
func (l *Lab) Helm(ctx context.Context, args ...string) (string, error) {
	helm, err := l.Tool(ctx, "helm")
	if err != nil {
		return "", err
	}
	if l.Context != "" {
		args = append([]string{"--kube-context", l.Context}, args...)
	}
	return l.command(ctx, "", helm, args...)
}

func (l *Lab) command(ctx context.Context, stdin, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = l.Root
	cmd.Env = os.Environ()
	if l.Context == "" {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+l.Kubeconfig)
	}
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// Forward makes a new port of the host's loopback lead to a Service and
// returns its address. It stays until the cluster goes down; with a Context
// until ctx ends.
func (l *Lab) Forward(ctx context.Context, namespace, service string, port int) (string, error) {
	if l.Context != "" {
		return l.PortForward(ctx, namespace, "service/"+service, port)
	}
	ip, err := l.Kubectl(ctx, "", "get", "service", "-n", namespace, service, "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return "", err
	}
	local, err := freePort()
	if err != nil {
		return "", err
	}
	target := net.JoinHostPort(strings.TrimSpace(ip), fmt.Sprint(port))
	if _, err := l.Cluster(ctx, "forward", "--name", l.Name, local, target); err != nil {
		return "", err
	}
	return "127.0.0.1:" + local, nil
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}

// GatewayService is the namespace and name of the Service that Envoy Gateway
// made for a Gateway.
func (l *Lab) GatewayService(ctx context.Context, namespace, gateway string) (serviceNamespace, service string, err error) {
	out, err := l.Kubectl(ctx, "", "get", "service", "--all-namespaces", "-l",
		"gateway.envoyproxy.io/owning-gateway-namespace="+namespace+",gateway.envoyproxy.io/owning-gateway-name="+gateway,
		"-o", `jsonpath={.items[0].metadata.namespace} {.items[0].metadata.name}`)
	if err != nil {
		return "", "", err
	}
	serviceNamespace, service, found := strings.Cut(strings.TrimSpace(out), " ")
	if !found {
		return "", "", fmt.Errorf("no Service of Envoy Gateway for Gateway %s/%s yet", namespace, gateway)
	}
	return serviceNamespace, service, nil
}
