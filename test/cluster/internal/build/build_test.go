// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
)

// waitTimeout bounds what a test waits for something that happens at once.
const waitTimeout = 10 * time.Second

// made is a component of one file with a content.
func made(key, content string) component {
	return component{name: "tool", key: key, parts: []part{{"writing", func(_ context.Context, dir string) error {
		return os.WriteFile(filepath.Join(dir, "program"), []byte(content), 0o755)
	}}}}
}

// broken is a component that writes something and then fails.
func broken(key string) component {
	c := made(key, "half")
	c.parts = append(c.parts, part{"fetching", func(context.Context, string) error { return errors.New("no network") }})
	return c
}

var _ = Describe("the cache", func() {
	var builder Builder

	BeforeEach(func() {
		builder = Builder{Root: GinkgoT().TempDir(), Cache: filepath.Join(GinkgoT().TempDir(), "cache"), Progress: io.Discard}
	})

	It("builds once for one key", func(ctx context.Context) {
		first, err := builder.make(ctx, made("key", "1"))
		Expect(err).NotTo(HaveOccurred())
		Expect(os.ReadFile(filepath.Join(first, "program"))).To(BeEquivalentTo("1"))
		Expect(builder.make(ctx, broken("key"))).To(Equal(first))
	})

	It("builds anew for another key, and keeps the old one", func(ctx context.Context) {
		first, err := builder.make(ctx, made("key", "1"))
		Expect(err).NotTo(HaveOccurred())
		second, err := builder.make(ctx, made("another key", "2"))
		Expect(err).NotTo(HaveOccurred())
		Expect(second).NotTo(Equal(first))
		Expect(os.ReadFile(filepath.Join(first, "program"))).To(BeEquivalentTo("1"))
	})

	It("keeps nothing of a build that failed", func(ctx context.Context) {
		_, err := builder.make(ctx, broken("key"))
		Expect(err).To(MatchError("building tool: fetching: no network"))
		Expect(filepath.Glob(filepath.Join(builder.Cache, "tool-*"))).To(BeEmpty())
		dir, err := builder.make(ctx, made("key", "whole"))
		Expect(err).NotTo(HaveOccurred())
		Expect(os.ReadFile(filepath.Join(dir, "program"))).To(BeEquivalentTo("whole"))
	})

	It("uses nothing of what a killed build left, and removes it", func(ctx context.Context) {
		left := filepath.Join(builder.Cache, "tool-unfinished")
		Expect(os.MkdirAll(left, 0o755)).To(Succeed())
		Expect(os.WriteFile(filepath.Join(left, "old"), nil, 0o600)).To(Succeed())
		dir, err := builder.make(ctx, made("key", "whole"))
		Expect(err).NotTo(HaveOccurred())
		Expect(filepath.Join(dir, "old")).NotTo(BeAnExistingFile())
		Expect(left).NotTo(BeAnExistingFile())
	})

	It("builds once for many who ask at once", func(ctx context.Context) {
		var builds atomic.Int32
		c := made("key", "1")
		c.parts = append(c.parts, part{"counting", func(context.Context, string) error {
			builds.Add(1)
			return nil
		}})
		dirs := make([]string, 8)
		var all sync.WaitGroup
		for n := range dirs {
			all.Go(func() {
				defer GinkgoRecover()
				dir, err := builder.make(ctx, c)
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

	It("may be read by others than who built", func(ctx context.Context) {
		dir, err := builder.make(ctx, made("key", "1"))
		Expect(err).NotTo(HaveOccurred())
		info, err := os.Stat(dir)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o755)))
	})

	It("says which step it is at, and nothing when there is nothing to do", func(ctx context.Context) {
		said := gbytes.NewBuffer()
		builder.Progress = said
		c := made("key", "1")
		c.parts = append(c.parts, part{"checking", func(context.Context, string) error { return nil }})
		_, err := builder.make(ctx, c)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(gbytes.Say(`tool: step 1 of 2: writing \(at 0 s\)`))
		Expect(said).To(gbytes.Say(`tool: step 2 of 2: checking`))
		Expect(said).To(gbytes.Say(`tool: built in \d+ s`))
		all := len(said.Contents())
		_, err = builder.make(ctx, c)
		Expect(err).NotTo(HaveOccurred())
		Expect(said.Contents()).To(HaveLen(all))
	})

	It("shows that a long step goes on", func(ctx context.Context) {
		said := gbytes.NewBuffer()
		builder.Progress, builder.reportEvery = said, time.Millisecond
		report := builder.report(ctx, "tool", "packages compiled", 7)
		defer report.stop()
		report.add()
		report.add()
		Eventually(said).WithTimeout(waitTimeout).Should(gbytes.Say(`tool:   2 of at most 7 packages compiled after 0 s`))
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

		DescribeTable("changes with",
			func(name, content string) {
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

var _ = Describe("Lock", func() {
	var path string

	BeforeEach(func() { path = filepath.Join(GinkgoT().TempDir(), "new", "lock") })

	It("is given to one at a time", func(ctx context.Context) {
		unlock, err := Lock(ctx, path, func() { Fail("nobody has it") })
		Expect(err).NotTo(HaveOccurred())
		waiting, second := make(chan struct{}), make(chan error, 1)
		go func() {
			unlock, err := Lock(ctx, path, func() { close(waiting) })
			if err == nil {
				unlock()
			}
			second <- err
		}()
		Eventually(waiting).WithTimeout(waitTimeout).Should(BeClosed())
		Consistently(second).WithTimeout(2 * lockInterval).ShouldNot(Receive())
		unlock()
		Eventually(second).WithTimeout(waitTimeout).Should(Receive(BeNil()))
	})

	It("is not waited for longer than asked to", func(ctx context.Context) {
		unlock, err := Lock(ctx, path, func() { Fail("nobody has it") })
		Expect(err).NotTo(HaveOccurred())
		defer unlock()
		limited, cancel := context.WithCancel(ctx)
		_, err = Lock(limited, path, cancel)
		Expect(err).To(MatchError(context.Canceled))
	})
})
