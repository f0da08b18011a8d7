// SPDX-License-Identifier: Apache-2.0

package build

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Versions of what is under test.
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
func (b Builder) Kube() (string, error) {
	key, err := b.sources("test/cluster/kube")
	if err != nil {
		return "", err
	}
	return b.make("kube", KubernetesVersion+key, func(dir string) error {
		stamp := ""
		for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
			minor := strings.Split(KubernetesVersion, ".")[1]
			stamp += fmt.Sprintf(" -X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=%s -X %s.gitTreeState=clean",
				pkg, KubernetesVersion, pkg, pkg, minor, pkg)
		}
		if err := b.goBuild("test/cluster/kube", filepath.Join(dir, "kube"), ".", stamp); err != nil {
			return err
		}
		for _, program := range kubePrograms {
			if err := os.Symlink("kube", filepath.Join(dir, program)); err != nil {
				return err
			}
		}
		return nil
	})
}

// EnvoyGateway builds Envoy Gateway's control plane.
func (b Builder) EnvoyGateway() (string, error) {
	key, err := b.sources("test/cluster/gateway")
	if err != nil {
		return "", err
	}
	return b.make("envoy-gateway", key, func(dir string) error {
		const pkg = "github.com/envoyproxy/gateway"
		return b.goBuild("test/cluster/gateway", filepath.Join(dir, "envoy-gateway"), pkg+"/cmd/envoy-gateway",
			"-X "+pkg+"/internal/cmd/version.envoyGatewayVersion="+EnvoyGatewayVersion)
	})
}

// GatewayChart makes Envoy Gateway's Helm chart out of its module, as its
// release does: it fills in the image and the version.
func (b Builder) GatewayChart() (string, error) {
	return b.make("gateway-helm", EnvoyGatewayVersion+gatewayImage, func(dir string) error {
		source, err := b.run(filepath.Join(b.Root, "test/cluster/gateway"), nil,
			"go", "list", "-m", "-f", "{{.Dir}}", "github.com/envoyproxy/gateway")
		if err != nil {
			return err
		}
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(strings.TrimSpace(source), "charts/gateway-helm"))); err != nil {
			return err
		}
		values, err := os.ReadFile(filepath.Join(dir, "values.tmpl.yaml"))
		if err != nil {
			return err
		}
		filled := strings.NewReplacer("${GatewayImage}", gatewayImage, "${GatewayImagePullPolicy}", "IfNotPresent").
			Replace(string(values))
		return os.WriteFile(filepath.Join(dir, "values.yaml"), []byte(filled), 0o644)
	})
}

// Helm builds Helm.
func (b Builder) Helm() (string, error) {
	return b.program("helm", "test/cluster/helm", "helm.sh/helm/v3/cmd/helm")
}

// CoreDNS builds the cluster's DNS server.
func (b Builder) CoreDNS() (string, error) {
	return b.program("coredns", "test/cluster/coredns", ".")
}

// program builds a package of a nested module whose folder is all of its key.
func (b Builder) program(name, module, pkg string) (string, error) {
	key, err := b.sources(module)
	if err != nil {
		return "", err
	}
	return b.make(name, key, func(dir string) error {
		return b.goBuild(module, filepath.Join(dir, name), pkg, "")
	})
}

// Binary builds a package of the operator's own module. It is never taken
// from the cache: Go's own build cache knows better what has changed.
func (b Builder) Binary(pkg, output, ldflags string) error {
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	return b.goBuild(".", output, pkg, ldflags)
}
