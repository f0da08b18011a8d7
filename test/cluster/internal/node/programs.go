// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"os"
)

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
			"--service-cluster-ip-range", serviceCIDR, "--leader-elect=false"),
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

// WriteConfiguration writes the configuration files of the programs.
func (l Layout) WriteConfiguration(pauseImage string) error {
	files := map[string]string{
		"audit-policy.yaml": "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n" +
			"rules: [{level: Metadata}]\n",
		"kube-proxy.yaml": `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: ` + podNetwork + `
hostnameOverride: ` + nodeName + `
clientConnection: {kubeconfig: "` + l.path("kube-proxy.kubeconfig") + `"}
conntrack: {maxPerCore: 0, min: 0}
iptables: {minSyncPeriod: 0s}
`,
		"kubelet.yaml": `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: "` + l.pki("ca.crt") + `"}
authorization: {mode: Webhook}
clusterDNS: [` + DNSAddress + `]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix://` + containerdSocket + `
cgroupDriver: cgroupfs
cgroupRoot: /` + l.Cgroup() + `
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
podLogsDir: ` + l.path("pod-logs") + `
resolvConf: ` + l.path("resolv.conf") + `
volumePluginDir: ` + l.path("volume-plugins") + `
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
localStorageCapacityIsolation: false
`,
		"resolv.conf": "nameserver " + DNSAddress + "\n",
		"containerd.toml": `version = 2
root = "` + l.path("containerd") + `"
state = "/run/containerd"
[grpc]
  address = "` + containerdSocket + `"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + pauseImage + `"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "` + cniPrograms() + `"
    conf_dir = "` + l.path("cni") + `"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`,
		"cni/10-bridge.conflist": `{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": "/run/cni-addresses"}}
]}
`,
	}
	for _, dir := range []string{"cni", "logs", "etcd", "kubelet", "kubelet-pki", "containerd", "pod-logs", "volume-plugins"} {
		if err := os.MkdirAll(l.path(dir), 0o700); err != nil {
			return err
		}
	}
	var errs []error
	for name, content := range files {
		errs = append(errs, os.WriteFile(l.path(name), []byte(content), 0o600))
	}
	return errors.Join(errs...)
}

// cniPrograms is the folder of the CNI plugins: Debian's, or the usual one.
func cniPrograms() string {
	const debian = "/usr/lib/cni"
	if _, err := os.Stat(debian + "/bridge"); err == nil {
		return debian
	}
	return "/opt/cni/bin"
}
