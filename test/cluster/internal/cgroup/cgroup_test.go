// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// endTimeout bounds what a test waits for a process to end.
const endTimeout = 10 * time.Second

func TestCgroup(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/cluster/internal/cgroup")
}

var _ = DescribeTable("Hierarchies are those of",
	func(mounts string, want ...string) {
		Expect(Hierarchies(mounts)).To(HaveExactElements(want))
	},
	Entry("version 2", "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\nproc /proc proc rw 0 0\n", "/sys/fs/cgroup"),
	Entry("version 1 with one of version 2 beside it",
		"tmpfs /sys/fs/cgroup tmpfs rw 0 0\n"+
			"cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"+
			"cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n"+
			"cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
		"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"),
	Entry("a machine that mounts them twice",
		"cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "/sys/fs/cgroup"),
	Entry("no other place",
		"cgroup2 /var/lib/container/sys/fs/cgroup cgroup2 rw 0 0\ncgroup2 /sys/fs/cgroups cgroup2 rw 0 0\n"),
)

var _ = Describe("a tree", func() {
	var tree Tree

	BeforeEach(func() {
		tree = Tree{Name: "blue", hierarchies: []string{GinkgoT().TempDir(), GinkgoT().TempDir()}}
	})

	file := func(hierarchy int, parts ...string) string {
		return filepath.Join(append([]string{tree.hierarchies[hierarchy]}, parts...)...)
	}
	write := func(path, content string) {
		GinkgoHelper()
		Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
		Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
	}

	It("is there in every hierarchy after it was created, once or twice", func() {
		Expect(tree.Folders()).To(BeEmpty())
		Expect(tree.Create()).To(Succeed())
		Expect(tree.Create()).To(Succeed())
		Expect(tree.Folders()).To(Equal([]string{file(0, "blue"), file(1, "blue")}))
		for _, group := range []string{Pods, System, Host} {
			Expect(file(0, "blue", group)).To(BeADirectory())
			Expect(file(1, "blue", group)).To(BeADirectory())
		}
	})

	It("passes on where processes may run, group by group", func() {
		write(file(0, "cpuset.cpus"), "0-1\n")
		write(file(0, "cpuset.mems"), "0\n")
		Expect(tree.Create()).To(Succeed())
		Expect(os.ReadFile(file(0, "blue", "cpuset.cpus"))).To(BeEquivalentTo("0-1\n"))
		Expect(os.ReadFile(file(0, "blue", System, "cpuset.mems"))).To(BeEquivalentTo("0\n"))
		Expect(file(1, "blue", "cpuset.cpus")).NotTo(BeAnExistingFile())
	})

	It("leaves a cpuset alone that says nothing", func() {
		write(file(0, "cpuset.cpus"), "\n")
		Expect(tree.Create()).To(Succeed())
		Expect(file(0, "blue", "cpuset.cpus")).NotTo(BeAnExistingFile())
	})

	It("enables the controllers of version 2 that are not yet", func() {
		write(file(0, "cgroup.controllers"), "cpu memory\n")
		write(file(0, "cgroup.subtree_control"), "cpu\n")
		write(file(0, "blue", "cgroup.controllers"), "memory\n")
		write(file(0, "blue", "cgroup.subtree_control"), "memory\n")
		Expect(tree.Create()).To(Succeed())
		Expect(os.ReadFile(file(0, "cgroup.subtree_control"))).To(BeEquivalentTo("+memory"))
		Expect(os.ReadFile(file(0, "blue", "cgroup.subtree_control"))).To(BeEquivalentTo("memory\n"))
	})

	It("moves a process in every hierarchy", func() {
		Expect(tree.Create()).To(Succeed())
		Expect(tree.Join(System, 4711)).To(Succeed())
		Expect(os.ReadFile(file(0, "blue", System, "cgroup.procs"))).To(BeEquivalentTo("4711"))
		Expect(os.ReadFile(file(1, "blue", System, "cgroup.procs"))).To(BeEquivalentTo("4711"))
	})

	It("can't move one into groups that are not there", func() {
		Expect(tree.Join(System, 4711)).To(MatchError(ContainSubstring("4711")))
	})

	It("lists every process once, at any depth", func() {
		write(file(0, "blue", System, "cgroup.procs"), "12\n7\n")
		write(file(0, "blue", Pods, "burstable", "pod1", "c1", "cgroup.procs"), "99\n0\n")
		write(file(1, "blue", System, "cgroup.procs"), "7\n")
		write(file(1, "other", "cgroup.procs"), "1\n")
		write(file(1, "cgroup.procs"), "2\n")
		Expect(tree.Processes()).To(Equal([]int{7, 12, 99}))
	})

	It("says which file it does not understand", func() {
		write(file(0, "blue", "cgroup.procs"), "x\n")
		_, err := tree.Processes()
		Expect(err).To(MatchError(ContainSubstring(file(0, "blue", "cgroup.procs"))))
	})

	DescribeTable("holds a process by its groups",
		func(content string, want bool) { Expect(tree.holds(content)).To(Equal(want)) },
		Entry("version 2", "0::/blue/pods/pod1\n", true),
		Entry("one hierarchy of many", "9:name=systemd:/\n4:memory:/blue/system\n", true),
		Entry("the top one", "0::/blue\n", true),
		Entry("not of a longer name", "0::/blue2/system\n4:memory:/blueberry\n", false),
		Entry("not below another", "0::/user/blue/system\n", false),
		Entry("not without any", "", false),
	)

	Describe("End", func() {
		It("does nothing where nothing is", func(ctx context.Context) {
			Expect(tree.End(ctx)).To(Succeed())
		})

		It("removes empty groups", func(ctx context.Context) {
			Expect(tree.Create()).To(Succeed())
			Expect(os.MkdirAll(file(0, "blue", Pods, "besteffort", "pod1"), 0o755)).To(Succeed())
			Expect(os.MkdirAll(file(0, "other"), 0o755)).To(Succeed())
			Expect(tree.End(ctx)).To(Succeed())
			Expect(tree.Folders()).To(BeEmpty())
			Expect(file(0, "other")).To(BeADirectory())
		})

		It("does not kill a process that is in no group of its own, whatever the lists say", func(ctx context.Context) {
			bystander := exec.Command("sleep", "60")
			Expect(bystander.Start()).To(Succeed())
			ended := make(chan error, 1)
			go func() { ended <- bystander.Wait() }()
			DeferCleanup(func() {
				Expect(bystander.Process.Kill()).To(Succeed())
				Eventually(ended).WithTimeout(endTimeout).Should(Receive())
			})
			write(file(0, "blue", "cgroup.procs"), strconv.Itoa(bystander.Process.Pid)+"\n")
			limited, cancel := context.WithTimeout(ctx, 10*pollInterval)
			defer cancel()
			Expect(tree.End(limited)).To(MatchError(ContainSubstring("blue")))
			Consistently(ended).WithTimeout(5 * pollInterval).ShouldNot(Receive())
		})
	})
})
