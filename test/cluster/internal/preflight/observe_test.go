// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("absent", func() {
	var path, folder string

	BeforeEach(func() {
		path, folder = GinkgoT().TempDir(), GinkgoT().TempDir()
		for name, mode := range map[string]os.FileMode{"good-program": 0o755, "no-program": 0o644} {
			Expect(os.WriteFile(filepath.Join(path, name), nil, mode)).To(Succeed())
			Expect(os.Chmod(filepath.Join(path, name), mode)).To(Succeed())
		}
		Expect(os.Mkdir(filepath.Join(path, "folder"), 0o755)).To(Succeed())
		Expect(os.WriteFile(filepath.Join(folder, "plugin"), nil, 0o755)).To(Succeed())
	})

	DescribeTable("looks for programs",
		func(name string, elsewhere, want bool) {
			r := Requirement{Name: name, Package: "p"}
			if elsewhere {
				r.Folders = []string{filepath.Join(folder, "missing"), folder}
			}
			Expect(absent([]Requirement{r}, []string{path})).To(HaveLen(map[bool]int{true: 1}[want]))
		},
		Entry("one that is there", "good-program", false, false),
		Entry("one that is not", "other-program", false, true),
		Entry("a file that is none", "no-program", false, true),
		Entry("a folder", "folder", false, true),
		Entry("one in a folder of its own", "plugin", true, false),
		Entry("one in PATH that should be in a folder", "good-program", true, true),
	)

	It("finds what Debian hides from users", func() {
		Expect(absent([]Requirement{{Name: "useradd"}}, nil)).To(BeEmpty(), "/usr/sbin is not in a user's PATH")
	})
})

var _ = DescribeTable("ParseCgroups",
	func(mounts, controllers string, want Cgroups) {
		Expect(ParseCgroups(mounts, controllers)).To(Equal(want))
	},
	Entry("version 2", "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n", "cpu memory pids\n",
		Cgroups{Version: 2, Controllers: []string{"cpu", "memory", "pids"}}),
	Entry("version 2, read-only", "cgroup2 /sys/fs/cgroup cgroup2 ro,nosuid 0 0\n", "cpu\n",
		Cgroups{Version: 2, Controllers: []string{"cpu"}, ReadOnly: []string{"/sys/fs/cgroup"}}),
	Entry("version 1, with version 2 beside it",
		"tmpfs /sys/fs/cgroup tmpfs ro 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n"+
			"cgroup /sys/fs/cgroup/memory cgroup ro,memory 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", "",
		Cgroups{Version: 1, Controllers: []string{"rw", "relatime", "cpu", "ro", "memory"}, ReadOnly: []string{"/sys/fs/cgroup/memory"}}),
	Entry("none", "proc /proc proc rw 0 0\ncgroup2 /mnt cgroup2 rw 0 0\n", "", Cgroups{}),
)

var _ = DescribeTable("freeMemory",
	func(meminfo string, want uint64) { Expect(freeMemory(meminfo)).To(Equal(want)) },
	Entry("as the kernel writes it", "MemTotal:       100 kB\nMemAvailable:    2048 kB\n", uint64(2048<<10)),
	Entry("not at all", "MemTotal: 100 kB\n", uint64(0)),
)

var _ = DescribeTable("capabilities",
	func(status string, want uint64) { Expect(capabilities(status)).To(Equal(want)) },
	Entry("those in effect", "CapPrm:\t00000000000000ff\nCapEff:\t0000000000201000\nCapBnd:\t00000000000000ff\n", uint64(sysAdmin|netAdmin)),
	Entry("none known", "", uint64(0)),
)

var _ = Describe("freeDisk", func() {
	It("is that of the file system a folder would be in", func() {
		there := GinkgoT().TempDir()
		Expect(freeDisk(filepath.Join(there, "not", "yet"))).To(And(BeNumerically(">", 0), BeNumerically("~", freeDisk(there), 1<<30)))
	})
})

var _ = Describe("try", func() {
	It("names each feature that fails, with the reason on one line, and goes on", func(ctx context.Context) {
		fails := func(context.Context) error { return errors.New("refused\n  by the kernel") }
		works := func(context.Context) error { return nil }
		Expect(try(ctx, []feature{{"bridges", fails}, {"mounts", works}, {"overlays", fails}})).
			To(Equal([]string{"bridges (refused by the kernel)", "overlays (refused by the kernel)"}))
	})

	It("runs commands up to the first that fails", func(ctx context.Context) {
		marker := filepath.Join(GinkgoT().TempDir(), "marker")
		Expect(commands("true", "touch "+marker)(ctx)).To(Succeed())
		Expect(marker).To(BeAnExistingFile())
		Expect(os.Remove(marker)).To(Succeed())
		Expect(commands("false", "touch "+marker)(ctx)).To(MatchError(ContainSubstring("false: exit status 1")))
		Expect(marker).NotTo(BeAnExistingFile())
	})

	It("leaves programs that are missing to the list of those", func(ctx context.Context) {
		Expect(commands("no-such-program-anywhere")(ctx)).To(Succeed())
	})
})

var _ = Describe("Observe", func() {
	It("reads this machine without a change, within its limit", func(ctx context.Context) {
		facts := Observe(ctx, Where{Cache: filepath.Join(GinkgoT().TempDir(), "cache"), Warm: true})
		Expect(facts.OS).To(Equal("linux"))
		Expect(facts.Root).To(Equal(os.Geteuid() == 0))
		Expect(facts.CacheWarm).To(BeTrue())
		Expect(facts.FreeDisk).NotTo(BeZero())
		Expect(facts.FreeMemory).NotTo(BeZero())
		Expect(facts.Libc).To(MatchRegexp(`^\d+\.\d+$`))
		Expect(facts.Kernel).To(BeEmpty(), "it was not to be tried")
	}, SpecTimeout(2*Limit))
})
