// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Versions of what is under test. Those of Go modules are in their go.mod too.
const (
	KubernetesVersion   = "v1.36.3"
	EnvoyGatewayVersion = "v1.9.1"
	EnvoyVersion        = "1.39.3"
)

// kubePrograms are the names that the Kubernetes binary answers to.
var kubePrograms = []string{
	"etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet",
}

// Kube builds the Kubernetes programs and etcd; the folder returned holds one
// link for each.
func (b Builder) Kube(ctx context.Context) (string, error) {
	const module = "test/cluster/kube"
	key, err := b.sources(module)
	if err != nil {
		return "", err
	}
	parts := b.goParts(program{module: module, pkg: ".", output: "kube", ldflags: kubeStamp()})
	parts = append(parts, part{"linking the programs' names", func(_ context.Context, dir string) error {
		for _, name := range kubePrograms {
			if err := os.Symlink("kube", filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		return nil
	}})
	return b.make(ctx, component{name: "kube", key: KubernetesVersion + key, parts: parts})
}

// kubeStamp tells the programs their version, as a release's build does.
func kubeStamp() string {
	numbers := strings.Split(strings.TrimPrefix(KubernetesVersion, "v"), ".")
	var stamp strings.Builder
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, value := range []string{
			"gitVersion=" + KubernetesVersion, "gitMajor=" + numbers[0], "gitMinor=" + numbers[1], "gitTreeState=clean",
		} {
			fmt.Fprintf(&stamp, " -X %s.%s", pkg, value)
		}
	}
	return stamp.String()
}

// EnvoyGateway builds Envoy Gateway's control plane.
func (b Builder) EnvoyGateway(ctx context.Context) (string, error) {
	const pkg = "github.com/envoyproxy/gateway"
	return b.program(ctx, program{
		module: gatewayModule, pkg: pkg + "/cmd/envoy-gateway", output: "envoy-gateway",
		ldflags: " -X " + pkg + "/internal/cmd/version.envoyGatewayVersion=" + EnvoyGatewayVersion,
	})
}

// Helm builds Helm 3.
func (b Builder) Helm(ctx context.Context) (string, error) {
	return b.program(ctx, program{module: "test/cluster/helm", pkg: "helm.sh/helm/v3/cmd/helm", output: "helm"})
}

// Helm4 builds Helm 4.
func (b Builder) Helm4(ctx context.Context) (string, error) {
	return b.program(ctx, program{module: "test/cluster/helm4", pkg: "helm.sh/helm/v4/cmd/helm", output: "helm4"})
}

// CoreDNS builds the cluster's DNS server.
func (b Builder) CoreDNS(ctx context.Context) (string, error) {
	return b.program(ctx, program{module: "test/cluster/coredns", pkg: ".", output: "coredns"})
}

// Collector builds the OpenTelemetry Collector that tests of traces export to.
func (b Builder) Collector(ctx context.Context) (string, error) {
	return b.program(ctx, program{module: "test/cluster/otelcol", pkg: ".", output: "otelcol"})
}

// prometheusTags leave out every service discovery but that of Kubernetes: the
// others are most of what there would be to compile.
const prometheusTags = "remove_all_sd,enable_kubernetes_sd"

// Prometheus builds Prometheus, without its web pages, and promtool.
func (b Builder) Prometheus(ctx context.Context) (string, error) {
	const module, pkg = "test/cluster/prometheus", "github.com/prometheus/prometheus/cmd/"
	key, err := b.sources(module)
	if err != nil {
		return "", err
	}
	var parts []part
	for _, name := range []string{"prometheus", "promtool"} {
		parts = append(parts, b.goParts(program{module: module, pkg: pkg + name, output: name, tags: prometheusTags})...)
	}
	return b.make(ctx, component{name: "prometheus", key: prometheusTags + key, parts: parts})
}

// program builds a package of a nested module whose folder is all of its key.
func (b Builder) program(ctx context.Context, p program) (string, error) {
	key, err := b.sources(p.module)
	if err != nil {
		return "", err
	}
	return b.make(ctx, component{name: p.output, key: p.ldflags + key, parts: b.goParts(p)})
}
