// SPDX-License-Identifier: Apache-2.0

package node

// program is one that the node runs.
type program struct {
	name string
	path string
	args []string
}

// containerdSocket is inside the cluster's own /run.
const containerdSocket = "/run/containerd/containerd.sock"

// programs are all that the node runs, in the order of their start.
func (l Layout) programs() []program {
	kube := func(name string, args ...string) program {
		return program{name: name, path: l.Programs + "/" + name, args: args}
	}
	return []program{
		kube("etcd", "--data-dir", l.path("etcd"), "--unsafe-no-fsync", "--logger=zap", "--log-level=warn",
			"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
			"--listen-peer-urls=http://127.0.0.1:2380"),
		kube("kube-apiserver", l.apiserverArgs()...),
		kube("kube-controller-manager", "--kubeconfig", l.path("kube-controller-manager.kubeconfig"),
			"--use-service-account-credentials", "--service-account-private-key-file", l.pki("sa.key"),
			"--root-ca-file", l.pki("ca.crt"), "--cluster-signing-cert-file", l.pki("ca.crt"),
			"--cluster-signing-key-file", l.pki("ca.key"), "--allocate-node-cidrs", "--cluster-cidr", podNetwork,
			"--service-cluster-ip-range", serviceCIDR, "--leader-elect=false",
			"--flex-volume-plugin-dir", l.path("volume-plugins")),
		kube("kube-scheduler", "--kubeconfig", l.path("kube-scheduler.kubeconfig"), "--leader-elect=false"),
		{name: "containerd", path: "containerd", args: []string{"--config", l.path("containerd.toml")}},
		kube("kubelet", "--config", l.path("kubelet.yaml"), "--kubeconfig", l.path("kubelet.kubeconfig"),
			"--root-dir", l.path("kubelet"), "--cert-dir", l.path("kubelet-pki"),
			"--hostname-override", nodeName, "--node-ip", Address),
		kube("kube-proxy", "--config", l.path("kube-proxy.yaml")),
	}
}

func (l Layout) apiserverArgs() []string {
	return []string{
		"--etcd-servers=http://127.0.0.1:2379", "--advertise-address", Address, "--secure-port", APIPort,
		"--service-cluster-ip-range", serviceCIDR, "--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction", "--allow-privileged",
		"--client-ca-file", l.pki("ca.crt"), "--tls-cert-file", l.pki("apiserver.crt"),
		"--tls-private-key-file", l.pki("apiserver.key"),
		"--kubelet-client-certificate", l.pki("apiserver-kubelet-client.crt"),
		"--kubelet-client-key", l.pki("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file", l.pki("sa.crt"), "--service-account-signing-key-file", l.pki("sa.key"),
		"--audit-policy-file", l.path("audit-policy.yaml"), "--audit-log-path", l.path("logs", "audit.log"),
		"--audit-log-maxsize=200", "--audit-log-maxbackup=2",
	}
}
