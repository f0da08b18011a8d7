// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Leftovers", func() {
	const dir = "/cache/clusters/blue"
	var proc string

	BeforeEach(func() {
		proc = GinkgoT().TempDir()
		Expect(os.WriteFile(filepath.Join(proc, "uptime"), nil, 0o600)).To(Succeed())
	})

	write := func(name, content string) {
		GinkgoHelper()
		path := filepath.Join(proc, name)
		Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
		Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
	}
	link := func(name, target string) {
		GinkgoHelper()
		path := filepath.Join(proc, name)
		Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
		Expect(os.Symlink(target, path)).To(Succeed())
	}

	It("are none on a machine that is busy with other things", func() {
		write("12/comm", "sleep\n")
		write("12/cmdline", "sleep\x00/cache/clusters/blue2\x00--dir=/cache/clusters\x00")
		link("12/exe", "/usr/bin/sleep")
		link("12/cwd", "/cache/clusters")
		write("12/mountinfo", "36 35 98:0 / / rw - ext4 /dev/root rw\n37 36 0:5 /cache/clusters/blueberry /mnt rw - ext4 /dev/root rw\n")
		Expect(Leftovers(proc, dir)).To(BeEmpty())
	})

	DescribeTable("are processes that",
		func(file, content, target string) {
			write("12/comm", "etcd\n")
			if target == "" {
				write("12/"+file, content)
			} else {
				link("12/"+file, target)
			}
			found, err := Leftovers(proc, dir)
			Expect(err).NotTo(HaveOccurred())
			Expect(found).To(ConsistOf(ContainSubstring("process 12 (etcd)")))
		},
		Entry("run a program of it", "exe", "", dir+"/program"),
		Entry("run a program of it that was deleted", "exe", "", dir+"/program (deleted)"),
		Entry("are in it", "cwd", "", dir),
		Entry("have it for their root", "root", "", dir+"/containerd/rootfs"),
		Entry("have a file of it open", "fd/7", "", dir+"/logs/etcd.log"),
		Entry("name it", "cmdline", "etcd\x00--data-dir\x00"+dir+"/etcd\x00", ""),
		Entry("name it behind a flag", "cmdline", "etcd\x00--data-dir="+dir+"/etcd\x00", ""),
		Entry("see a mount in it", "mountinfo", "37 36 0:5 / "+dir+"/kubelet/pods/x rw - tmpfs tmpfs rw\n", ""),
		Entry("see a mount of it", "mountinfo", "37 36 0:5 "+dir+" /mnt rw - ext4 /dev/root rw\n", ""),
		Entry("see an overlay of it", "mountinfo",
			"37 36 0:5 / /rootfs rw - overlay overlay rw,lowerdir=/x,upperdir="+dir+"/containerd/1,workdir=/y\n", ""),
	)

	It("name a mount that many processes see once", func() {
		for _, pid := range []string{"12", "13"} {
			write(pid+"/comm", "x\n")
			write(pid+"/mountinfo", "37 36 0:5 / "+dir+"/m rw - tmpfs tmpfs rw\n")
		}
		Expect(Leftovers(proc, dir)).To(HaveLen(1))
	})

	It("are the folder itself", func() {
		there := GinkgoT().TempDir()
		Expect(Leftovers(proc, there)).To(ConsistOf("the folder " + there))
	})
})
