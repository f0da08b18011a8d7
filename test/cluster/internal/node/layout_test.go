// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/json"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

var _ = Describe("a cluster's files", func() {
	var layout Layout

	BeforeEach(func() {
		layout = Layout{Name: "blue", Dir: filepath.Join(GinkgoT().TempDir(), "blue"), Programs: "/programs"}
		Expect(os.MkdirAll(layout.Dir, 0o700)).To(Succeed())
	})

	read := func(name string) map[string]any {
		GinkgoHelper()
		content, err := os.ReadFile(filepath.Join(layout.Dir, name))
		Expect(err).NotTo(HaveOccurred())
		parsed := map[string]any{}
		Expect(yaml.UnmarshalStrict(content, &parsed)).To(Succeed())
		return parsed
	}

	Describe("configuration", func() {
		BeforeEach(func() {
			Expect(layout.WriteConfiguration("localhost/pause:1")).To(Succeed())
		})

		It("tells the kubelet what is its own, and nothing of the host's", func() {
			kubelet := read("kubelet.yaml")
			Expect(kubelet).To(And(
				HaveKeyWithValue("cgroupRoot", "/"+layout.Cgroup()+"/pods"),
				HaveKeyWithValue("cgroupDriver", "cgroupfs"),
				HaveKeyWithValue("failCgroupV1", false),
				HaveKeyWithValue("failSwapOn", false),
				HaveKeyWithValue("enforceNodeAllocatable", BeEmpty()),
				HaveKeyWithValue("clusterDNS", ConsistOf(DNSAddress)),
			))
			for _, path := range []string{"podLogsDir", "resolvConf", "volumePluginDir"} {
				Expect(kubelet).To(HaveKeyWithValue(path, HavePrefix(layout.Dir+"/")))
			}
			Expect(kubelet).To(HaveKeyWithValue("authentication", HaveKeyWithValue("anonymous", HaveKeyWithValue("enabled", false))))
			Expect(kubelet).To(HaveKeyWithValue("authorization", HaveKeyWithValue("mode", "Webhook")))
		})

		It("lets kube-proxy leave the machine's connection tracking alone", func() {
			Expect(read("kube-proxy.yaml")).To(And(
				HaveKeyWithValue("mode", "iptables"),
				HaveKeyWithValue("clusterCIDR", podNetwork),
				HaveKeyWithValue("conntrack", HaveKeyWithValue("maxPerCore", BeEquivalentTo(0))),
			))
		})

		It("logs requests without their content", func() {
			policy := read("audit-policy.yaml")
			Expect(policy).To(HaveKeyWithValue("rules", ConsistOf(HaveKeyWithValue("level", "Metadata"))))
		})

		It("gives containerd a root of its own and the local pause image", func() {
			content, err := os.ReadFile(filepath.Join(layout.Dir, "containerd.toml"))
			Expect(err).NotTo(HaveOccurred())
			Expect(string(content)).To(And(
				ContainSubstring(`root = "`+layout.Dir+`/containerd"`),
				ContainSubstring(`sandbox_image = "localhost/pause:1"`),
				ContainSubstring(`restrict_oom_score_adj = true`),
				ContainSubstring(`conf_dir = "`+layout.Dir+`/cni"`),
			))
		})

		It("gives pods addresses of the node's part of the pods' network", func() {
			content, err := os.ReadFile(filepath.Join(layout.Dir, "cni", "10-bridge.conflist"))
			Expect(err).NotTo(HaveOccurred())
			var list struct {
				Plugins []struct {
					Type   string
					IPMasq bool
					IPAM   struct{ Ranges [][]struct{ Subnet string } }
				}
			}
			Expect(json.Unmarshal(content, &list)).To(Succeed())
			Expect(list.Plugins[0].Type).To(Equal("bridge"))
			Expect(list.Plugins[0].IPMasq).To(BeTrue())
			pods := netip.MustParsePrefix(podNetwork)
			node := netip.MustParsePrefix(list.Plugins[0].IPAM.Ranges[0][0].Subnet)
			Expect(pods.Contains(node.Addr())).To(BeTrue())
		})
	})

	Describe("credentials", func() {
		BeforeEach(func() {
			Expect(layout.WriteCredentials("40123")).To(Succeed())
		})

		It("let the host's administrator in by the forwarded port", func() {
			config, err := clientcmd.LoadFromFile(layout.Kubeconfig())
			Expect(err).NotTo(HaveOccurred())
			rest, err := clientcmd.NewDefaultClientConfig(*config, nil).ClientConfig()
			Expect(err).NotTo(HaveOccurred())
			Expect(rest.Host).To(Equal("https://127.0.0.1:40123"))
			Expect(rest.Insecure).To(BeFalse())
			Expect(rest.CAData).NotTo(BeEmpty())
			Expect(config.CurrentContext).To(ContainSubstring("blue"))
		})

		It("lead the node's own programs to its address", func() {
			for _, user := range []string{"kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager"} {
				config, err := clientcmd.LoadFromFile(filepath.Join(layout.Dir, user+".kubeconfig"))
				Expect(err).NotTo(HaveOccurred())
				Expect(config.Clusters).To(HaveLen(1))
				for _, cluster := range config.Clusters {
					Expect(cluster.Server).To(Equal("https://" + Address + ":" + APIPort))
				}
			}
		})

		It("are for their owner alone", func() {
			Expect(filepath.WalkDir(layout.Dir, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				info, err := entry.Info()
				Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)), path)
				return err
			})).To(Succeed())
		})
	})

	It("are named by nothing that another cluster uses too", func() {
		other := Layout{Name: "green", Dir: filepath.Join(filepath.Dir(layout.Dir), "green"), Programs: "/programs"}
		Expect(layout.Cgroup()).NotTo(Equal(other.Cgroup()))
		Expect(layout.DialSocket()).NotTo(Equal(other.DialSocket()))
		Expect(layout.Kubeconfig()).NotTo(Equal(other.Kubeconfig()))
	})
})

var _ = Describe("the node's programs", func() {
	args := func(name string) []string {
		GinkgoHelper()
		programs := Layout{Name: "blue", Dir: "/state/blue", Programs: "/programs"}.programs()
		i := slices.IndexFunc(programs, func(p program) bool { return p.name == name })
		Expect(i).To(BeNumerically(">=", 0))
		return programs[i].args
	}
	// value is a flag's, in either of its forms.
	value := func(args []string, flag string) string {
		for i, arg := range args {
			if rest, ok := strings.CutPrefix(arg, flag+"="); ok {
				return rest
			}
			if arg == flag && i+1 < len(args) {
				return args[i+1]
			}
		}
		return ""
	}

	It("agree on the networks", func() {
		services := netip.MustParsePrefix(serviceCIDR)
		Expect(services.Contains(netip.MustParseAddr(serviceIP))).To(BeTrue())
		Expect(services.Contains(netip.MustParseAddr(DNSAddress))).To(BeTrue())
		Expect(services.Overlaps(netip.MustParsePrefix(podNetwork))).To(BeFalse())
		Expect(value(args("kube-apiserver"), "--service-cluster-ip-range")).To(Equal(serviceCIDR))
		Expect(value(args("kube-controller-manager"), "--service-cluster-ip-range")).To(Equal(serviceCIDR))
		Expect(value(args("kube-controller-manager"), "--cluster-cidr")).To(Equal(podNetwork))
		Expect(netip.MustParsePrefix(nodeNetwork).Contains(netip.MustParseAddr(Address))).To(BeTrue())
	})

	It("let only those in who may", func() {
		apiserver := args("kube-apiserver")
		Expect(value(apiserver, "--authorization-mode")).To(Equal("Node,RBAC"))
		Expect(value(apiserver, "--client-ca-file")).To(Equal("/state/blue/pki/ca.crt"))
		Expect(value(apiserver, "--enable-admission-plugins")).To(ContainSubstring("NodeRestriction"))
	})

	It("agree on who signs the tokens of service accounts", func() {
		Expect(value(args("kube-controller-manager"), "--service-account-private-key-file")).
			To(Equal(value(args("kube-apiserver"), "--service-account-signing-key-file")))
	})

	It("let logs be read without a name server", func() {
		Expect(value(args("kube-apiserver"), "--kubelet-preferred-address-types")).To(Equal("InternalIP"))
		Expect(netip.MustParseAddr(value(args("kube-apiserver"), "--advertise-address")).IsLoopback()).To(BeFalse())
	})

	It("write only below the cluster's folder", func() {
		for program, flags := range map[string][]string{
			"etcd": {"--data-dir"}, "kube-apiserver": {"--audit-log-path"},
			"kubelet": {"--root-dir", "--cert-dir"},
		} {
			for _, flag := range flags {
				Expect(value(args(program), flag)).To(HavePrefix("/state/blue/"), program+" "+flag)
			}
		}
	})
})
