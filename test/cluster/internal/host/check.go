// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a cluster with Envoy Gateway and our operator needs at least.
const (
	minMemory = 4 << 30
	minDisk   = 12 << 30
	minGlibc  = 231 // major*100 + minor: what Envoy's binary was linked against
)

// programs that must be installed, and the Debian packages that bring them.
var programs = []struct{ name, pkg string }{
	{"containerd", "containerd"}, {"ctr", "containerd"}, {"runc", "runc"}, {"iptables", "iptables"},
	{"ip", "iproute2"}, {"nsenter", "util-linux"}, {"conntrack", "conntrack"}, {"ldd", "libc-bin"},
	{"python3", "python3"}, {"git", "git"},
}

// cniFolders are where the CNI plugins are looked for.
var cniFolders = []string{"/usr/lib/cni", "/opt/cni/bin"}

// MissingPackages are the Debian packages that bring what is missing.
func MissingPackages() []string {
	set := map[string]bool{}
	var missing []string
	add := func(pkg string) {
		if !set[pkg] {
			set[pkg] = true
			missing = append(missing, pkg)
		}
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p.name); err != nil {
			add(p.pkg)
		}
	}
	if !haveCNI() {
		add("containernetworking-plugins")
	}
	if exec.Command("python3", "-m", "pip", "--version").Run() != nil {
		add("python3-pip")
	}
	return missing
}

// Check says in words what this machine lacks. It changes nothing.
func Check() []string {
	var problems []string
	if runtime.GOOS != "linux" {
		return []string{"the local cluster needs Linux; elsewhere, use DEMO_CONTEXT=<context> with a cluster you have"}
	}
	if os.Geteuid() != 0 {
		problems = append(problems, "root is needed to make namespaces and mounts: run it as root (sudo)")
	}
	if missing := MissingPackages(); len(missing) > 0 {
		problems = append(problems, "programs are missing: apt-get install "+strings.Join(missing, " "))
	}
	problems = append(problems, checkSize()...)
	problems = append(problems, checkGlibc()...)
	problems = append(problems, checkKernel()...)
	return problems
}

func haveCNI() bool {
	for _, dir := range cniFolders {
		if _, err := os.Stat(dir + "/bridge"); err == nil {
			return true
		}
	}
	return false
}

func checkSize() []string {
	var problems []string
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		if total := uint64(info.Totalram) * uint64(info.Unit); total < minMemory {
			problems = append(problems, fmt.Sprintf("memory: %d MiB, but %d MiB are needed", total>>20, uint64(minMemory)>>20))
		}
	}
	dir := os.Getenv("TARS_OPERATOR_CACHE")
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err == nil {
		if free := disk.Bavail * uint64(disk.Bsize); free < minDisk {
			problems = append(problems, fmt.Sprintf("disk: %d MiB are free in %s, but %d MiB are needed; set TARS_OPERATOR_CACHE to a folder with more",
				free>>20, dir, uint64(minDisk)>>20))
		}
	}
	return problems
}

var glibcVersion = regexp.MustCompile(`(\d+)\.(\d+)\s*$`)

func checkGlibc() []string {
	out, err := exec.Command("getconf", "GNU_LIBC_VERSION").Output()
	match := glibcVersion.FindStringSubmatch(strings.TrimSpace(string(out)))
	if err != nil || match == nil {
		return []string{"Envoy's binary needs glibc 2.31 or newer, and this system has none"}
	}
	major, majorErr := strconv.Atoi(match[1])
	minor, minorErr := strconv.Atoi(match[2])
	if majorErr != nil || minorErr != nil || major*100+minor < minGlibc {
		return []string{"Envoy's binary needs glibc 2.31 or newer, and this system has " + strings.TrimSpace(string(out))}
	}
	return nil
}

// checkKernel tries, in namespaces that end with the command, what the node
// does: it finds modules that are missing and rights that root lacks.
func checkKernel() []string {
	if os.Geteuid() != 0 {
		return nil
	}
	var problems []string
	for _, probe := range []struct{ what, script string }{
		{"a bridge and a veth pair (kernel modules bridge, veth)",
			"ip link add b0 type bridge && ip link add v0 type veth peer name v1"},
		{"address translation (kernel modules nf_nat, xt_comment, xt_conntrack, xt_statistic)",
			"iptables -t nat -A POSTROUTING -m comment --comment x -m statistic --mode random --probability 0.5 -j MASQUERADE && " +
				"iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP"},
		{"overlay mounts (kernel module overlay)",
			"mount -t tmpfs tmpfs /run && mkdir /run/u /run/w && mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/u,workdir=/run/w /etc"},
	} {
		cmd := exec.Command("unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", probe.script)
		if out, err := cmd.CombinedOutput(); err != nil {
			problems = append(problems, fmt.Sprintf("the kernel refuses %s: %s", probe.what, strings.TrimSpace(string(out))))
		}
	}
	if _, err := os.Stat("/sys/fs/cgroup"); err != nil {
		problems = append(problems, "there are no cgroups at /sys/fs/cgroup: mount them")
	}
	return problems
}
