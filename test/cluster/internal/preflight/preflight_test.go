// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// sound are the facts of a machine that lacks nothing.
func sound() Facts {
	return Facts{
		OS: "linux", Arch: "amd64", Root: true, Capabilities: 1<<41 - 1, Pip: true, Libc: "2.36",
		FreeDisk: 100 << 30, FreeMemory: 16 << 30,
		Cgroups: Cgroups{Version: 2, Controllers: []string{"cpuset", "cpu", "io", "memory", "pids"}},
	}
}

var _ = Describe("Judge", func() {
	It("finds nothing wrong with a machine that lacks nothing", func() {
		Expect(Judge(sound())).To(BeEmpty())
		Expect(Explain(nil)).To(BeEmpty())
	})

	DescribeTable("names what is wrong, and the remedy",
		func(change func(*Facts), problem, fix string) {
			facts := sound()
			change(&facts)
			findings := Judge(facts)
			Expect(findings).To(HaveLen(1))
			Expect(findings[0].Problem).To(ContainSubstring(problem))
			Expect(findings[0].Fix).To(ContainSubstring(fix))
		},
		Entry("another system", func(f *Facts) { *f = Facts{OS: "darwin"} }, "darwin", "virtual machine"),
		Entry("another architecture", func(f *Facts) { f.Arch = "riscv64" }, "riscv64", "arm64"),
		Entry("a user", func(f *Facts) { f.Root, f.Capabilities = false, 0 }, "not root", "sudo"),
		Entry("a container's root, interfaces", func(f *Facts) { f.Capabilities = sysAdmin }, "CAP_NET_ADMIN", "--privileged"),
		Entry("a container's root, mounts", func(f *Facts) { f.Capabilities = netAdmin }, "CAP_SYS_ADMIN", "--privileged"),
		Entry("a program", func(f *Facts) { f.Absent = []Requirement{{Name: "runc", Package: "runc"}} },
			"runc is missing", "apt-get install runc"),
		Entry("python without pip", func(f *Facts) { f.Pip = false }, "pip", "apt-get install python3-pip"),
		Entry("no glibc", func(f *Facts) { f.Libc = "" }, "no glibc", "2.31"),
		Entry("an old glibc", func(f *Facts) { f.Libc = "2.9" }, "glibc 2.9 is too old", "2.31"),
		Entry("too little memory", func(f *Facts) { f.FreeMemory = 4<<30 - 1 }, "4.0 GiB of memory are free", "end other programs"),
		Entry("too little disk for building", func(f *Facts) { f.FreeDisk = 15 << 30 }, "15.0 GiB of disk are free, 16.0", "TARS_OPERATOR_CACHE"),
		Entry("too little disk for running", func(f *Facts) { f.CacheWarm, f.FreeDisk = true, 3<<30 }, "3.0 GiB of disk are free, 4.0", "TARS_OPERATOR_CACHE"),
		Entry("a feature of the kernel", func(f *Facts) { f.Kernel = []string{"bridges (module bridge)"} }, "bridges", "modprobe"),
		Entry("no cgroups", func(f *Facts) { f.Cgroups = Cgroups{} }, "no cgroups", "mount them"),
		Entry("a controller of version 2", func(f *Facts) { f.Cgroups.Controllers = []string{"cpuset", "cpu", "memory"} },
			"controller pids", "cgroup_enable=pids"),
		Entry("a controller of version 1", func(f *Facts) {
			f.Cgroups.Version = 1
			f.Cgroups.Controllers = append(f.Cgroups.Controllers, "devices")
		},
			"controller freezer", "cgroup_enable=freezer"),
		Entry("cgroups of a container", func(f *Facts) { f.Cgroups.ReadOnly = []string{"/sys/fs/cgroup"} }, "/sys/fs/cgroup is mounted read-only", "--cgroupns=host"),
	)

	DescribeTable("has nothing against",
		func(change func(*Facts)) {
			facts := sound()
			change(&facts)
			Expect(Judge(facts)).To(BeEmpty())
		},
		Entry("arm64", func(f *Facts) { f.Arch = "arm64" }),
		Entry("just the rights it needs", func(f *Facts) { f.Capabilities = sysAdmin | netAdmin }),
		Entry("the oldest glibc", func(f *Facts) { f.Libc = "2.31" }),
		Entry("just enough room", func(f *Facts) { f.FreeDisk, f.FreeMemory = 16<<30, 4<<30 }),
		Entry("less disk when all is built", func(f *Facts) { f.CacheWarm, f.FreeDisk = true, 4<<30 }),
	)

	It("names everything at once", func() {
		Expect(len(Judge(Facts{OS: "linux", Arch: "386"}))).To(BeNumerically(">=", 6))
	})

	It("asks for python and its module pip together", func() {
		facts := sound()
		facts.Pip, facts.Absent = false, []Requirement{{Name: python, Package: "python3"}}
		Expect(Packages(Judge(facts))).To(Equal([]string{"python3", "python3-pip"}), "one run installs both")
	})
})

var _ = Describe("Explain", func() {
	It("tells every problem with its remedy, and one command for all packages", func() {
		facts := sound()
		facts.Root = false
		facts.Absent = []Requirement{{Name: "runc", Package: "runc"}, {Name: "ctr", Package: "containerd"}, {Name: "containerd", Package: "containerd"}}
		Expect(Explain(Judge(facts))).To(Equal(`missing: you are not root
    fix: run it as root, with the same PATH: sudo env "PATH=$PATH" ...
missing: runc is missing
    fix: apt-get install runc
missing: ctr is missing
    fix: apt-get install containerd
missing: containerd is missing
    fix: apt-get install containerd
all packages at once: apt-get install --no-install-recommends containerd runc
`))
	})

	It("repeats no command for a single package", func() {
		facts := sound()
		facts.Pip = false
		Expect(Explain(Judge(facts))).NotTo(ContainSubstring("at once"))
	})
})

var _ = DescribeTable("OlderThan",
	func(version, limit string, want bool) { Expect(OlderThan(version, limit)).To(Equal(want)) },
	Entry("compares numbers, not text", "2.9", "2.31", true),
	Entry("newer", "2.36", "2.31", false),
	Entry("equal", "2.31", "2.31", false),
	Entry("a newer major", "3.0", "2.31", false),
	Entry("an older major", "1.99", "2.31", true),
	Entry("a longer one", "2.31.1", "2.31", false),
	Entry("a shorter one", "2", "2.31", true),
	Entry("no version", "", "2.31", true),
)
