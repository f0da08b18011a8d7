// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Limit bounds all of Observe.
const Limit = 2 * time.Second

// Requirement is a program that a cluster needs, and the Debian package that
// brings it.
type Requirement struct {
	Name, Package string
	// Folders are looked in instead of PATH.
	Folders []string
}

const python = "python3"

// cniFolders are Debian's folder of CNI plugins, and the usual one.
var cniFolders = []string{"/usr/lib/cni", "/opt/cni/bin"}

// requirements are looked for in this order, which is that of the report.
var requirements = []Requirement{
	{Name: "containerd", Package: "containerd"},
	{Name: "containerd-shim-runc-v2", Package: "containerd"},
	{Name: "ctr", Package: "containerd"},
	{Name: "runc", Package: "runc"},
	{Name: "bridge", Package: "containernetworking-plugins", Folders: cniFolders},
	{Name: "host-local", Package: "containernetworking-plugins", Folders: cniFolders},
	{Name: "loopback", Package: "containernetworking-plugins", Folders: cniFolders},
	{Name: "iptables", Package: "iptables"},
	{Name: "ip", Package: "iproute2"},
	{Name: "conntrack", Package: "conntrack"},
	{Name: "nsenter", Package: "util-linux"},
	{Name: "ldd", Package: "libc-bin"},
	{Name: python, Package: "python3"},
}

// administration is where Debian has programs that are not in every user's
// PATH.
var administration = []string{"/usr/local/sbin", "/usr/sbin", "/sbin"}

// Where says what is about the user's own places.
type Where struct {
	// Cache is the folder of what is built; it need not be there yet.
	Cache string
	// Warm is true when the programs were built before.
	Warm bool
	// Probe is the command that calls TryKernel in namespaces of its own;
	// empty: the kernel is not tried.
	Probe []string
}

// Observe looks at the machine, at most for Limit, and changes nothing.
func Observe(ctx context.Context, w Where) Facts {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	f := Facts{OS: runtime.GOOS, Arch: runtime.GOARCH, Root: os.Geteuid() == 0, CacheWarm: w.Warm}
	var all sync.WaitGroup
	all.Go(func() {
		f.Pip = succeeds(ctx, python, "-c", "import sys, importlib.util as u; sys.exit(u.find_spec('pip') is None)")
	})
	all.Go(func() { f.Libc = libc(ctx) })
	all.Go(func() {
		if f.Root && len(w.Probe) > 0 {
			f.Kernel = tryKernelApart(ctx, w.Probe)
		}
	})
	f.Capabilities = capabilities(read("/proc/self/status"))
	f.Absent = absent(requirements, filepath.SplitList(os.Getenv("PATH")))
	f.FreeDisk, f.FreeMemory = freeDisk(w.Cache), freeMemory(read("/proc/meminfo"))
	f.Cgroups = ParseCgroups(read("/proc/self/mounts"), read(cgroupRoot+"/cgroup.controllers"))
	all.Wait()
	return f
}

// read returns a file's content; without it, what depends on it is missing.
func read(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(content)
}

func succeeds(ctx context.Context, name string, args ...string) bool {
	return exec.CommandContext(ctx, name, args...).Run() == nil
}

func absent(all []Requirement, path []string) []Requirement {
	var missing []Requirement
	for _, r := range all {
		folders := r.Folders
		if folders == nil {
			folders = append(append([]string{}, path...), administration...)
		}
		if !inOneOf(folders, r.Name) {
			missing = append(missing, r)
		}
	}
	return missing
}

func inOneOf(folders []string, program string) bool {
	for _, folder := range folders {
		info, err := os.Stat(filepath.Join(folder, program))
		if err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}

func libc(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "getconf", "GNU_LIBC_VERSION").Output()
	if err != nil {
		return ""
	}
	// "glibc 2.36"
	_, version, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return version
}

// capabilities reads those in effect from /proc/self/status.
func capabilities(status string) uint64 {
	for line := range strings.Lines(status) {
		if digits, found := strings.CutPrefix(line, "CapEff:"); found {
			if set, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 64); err == nil {
				return set
			}
		}
	}
	return 0
}

// freeMemory is what programs could use, in bytes.
func freeMemory(meminfo string) uint64 {
	for line := range strings.Lines(meminfo) {
		if rest, found := strings.CutPrefix(line, "MemAvailable:"); found {
			kibibytes, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err == nil {
				return kibibytes << 10
			}
		}
	}
	return 0
}

// freeDisk is the room of the file system that a folder is in, or would be.
func freeDisk(dir string) uint64 {
	for {
		var stat unix.Statfs_t
		err := unix.Statfs(dir, &stat)
		if err == nil {
			return stat.Bavail * uint64(stat.Bsize)
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, unix.ENOENT) || parent == dir {
			return 0
		}
		dir = parent
	}
}

// tryKernelApart runs a command, which calls TryKernel, in namespaces that end
// with it.
func tryKernelApart(ctx context.Context, command []string) []string {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL,
	}
	out, err := cmd.Output()
	var features []string
	for line := range strings.Lines(string(out)) {
		features = append(features, strings.TrimSpace(line))
	}
	if err != nil && len(features) == 0 {
		features = append(features, "namespaces for mounts, processes and network ("+err.Error()+")")
	}
	return features
}
