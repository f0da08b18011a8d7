// SPDX-License-Identifier: Apache-2.0

// Package node runs the programs of a single-node Kubernetes in namespaces of
// their own (process, mount, network), held by one process. When that process
// ends, the kernel ends everything in it: processes, mounts, interfaces.
package node

import "path/filepath"

// Addresses inside the cluster's network namespace. They are the same for
// every cluster: no two of them see each other.
const (
	Address     = "10.89.0.2"
	nodeNetwork = "10.89.0.2/24"
	podNetwork  = "10.244.0.0/16"
	// nodePodNetwork is the only node's part of it.
	nodePodNetwork = "10.244.0.0/24"
	serviceCIDR    = "10.96.0.0/16"
	serviceIP      = "10.96.0.1"
	DNSAddress     = "10.96.0.10"
	APIPort        = "6443"
	nodeName       = "node"
)

// Layout says where the files of one cluster are.
type Layout struct {
	// Name is the cluster's name.
	Name string
	// Dir is the folder that holds all of its files.
	Dir string
	// Programs is the folder of the Kubernetes programs.
	Programs string
}

func (l Layout) path(parts ...string) string {
	return filepath.Join(append([]string{l.Dir}, parts...)...)
}

// Kubeconfig is the administrator's, for use on the host.
func (l Layout) Kubeconfig() string { return l.path("kubeconfig") }

// Logs is the folder of the programs' logs.
func (l Layout) Logs() string { return l.path("logs") }

// DialSocket is where the host asks for connections into the cluster.
func (l Layout) DialSocket() string { return l.path("dial.sock") }

// Cgroup is the name of the parent of all of the cluster's cgroups.
func (l Layout) Cgroup() string { return "tars-operator-" + l.Name }

func (l Layout) pki(file string) string { return l.path("pki", file) }
