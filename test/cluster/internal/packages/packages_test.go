// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestPackages(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/cluster/internal/packages")
}

var _ = Describe("Install", func() {
	var (
		root      string
		ran       []string
		installer Installer
		// during is what apt-get does.
		during func() error
	)

	BeforeEach(func() {
		root, ran, during = GinkgoT().TempDir(), nil, func() error { return nil }
		for _, dir := range []string{"usr/sbin", "etc/systemd/system/multi-user.target.wants"} {
			Expect(os.MkdirAll(filepath.Join(root, dir), 0o755)).To(Succeed())
		}
		installer = Installer{Root: root, Run: func(_ context.Context, name string, args ...string) error {
			ran = append(ran, name+" "+strings.Join(args, " "))
			if args[0] != "install" {
				return nil
			}
			return during()
		}}
	})

	path := func(name string) string { return filepath.Join(root, name) }
	wants := func(service string) string { return path("etc/systemd/system/multi-user.target.wants/" + service) }
	// enable does what a package's script does.
	enable := func() error { return os.Symlink("/lib/systemd/system/containerd.service", wants("containerd.service")) }

	It("installs packages, and only those", func(ctx context.Context) {
		Expect(installer.Install(ctx, []string{"runc", "containerd"})).To(Succeed())
		Expect(ran).To(Equal([]string{"apt-get update", "apt-get install --yes --no-install-recommends runc containerd"}))
	})

	It("does nothing for no packages", func(ctx context.Context) {
		Expect(installer.Install(ctx, nil)).To(Succeed())
		Expect(ran).To(BeEmpty())
	})

	It("lets no service start meanwhile, and cleans up", func(ctx context.Context) {
		during = func() error {
			info, err := os.Stat(path("usr/sbin/policy-rc.d"))
			Expect(err).NotTo(HaveOccurred())
			Expect(info.Mode().Perm() & 0o111).NotTo(BeZero())
			Expect(os.ReadFile(path("usr/sbin/policy-rc.d"))).To(BeEquivalentTo("#!/bin/sh\nexit 101\n"))
			Expect(os.Readlink(path("etc/systemd/system/containerd.service"))).To(Equal("/dev/null"))
			return enable()
		}
		Expect(installer.Install(ctx, []string{"containerd"})).To(Succeed())
		for _, gone := range []string{path("usr/sbin/policy-rc.d"), path("etc/systemd/system/containerd.service"), wants("containerd.service")} {
			_, err := os.Lstat(gone)
			Expect(err).To(MatchError(os.ErrNotExist), gone)
		}
	})

	It("cleans up after a failure too", func(ctx context.Context) {
		during = func() error { return errors.Join(enable(), errors.New("no such package")) }
		Expect(installer.Install(ctx, []string{"containerd"})).To(MatchError(ContainSubstring("no such package")))
		Expect(path("usr/sbin/policy-rc.d")).NotTo(BeAnExistingFile())
		_, err := os.Lstat(wants("containerd.service"))
		Expect(err).To(MatchError(os.ErrNotExist))
	})

	It("leaves what the administrator decided", func(ctx context.Context) {
		Expect(os.WriteFile(path("usr/sbin/policy-rc.d"), []byte("own"), 0o755)).To(Succeed())
		Expect(os.WriteFile(path("etc/systemd/system/containerd.service"), []byte("own"), 0o600)).To(Succeed())
		Expect(enable()).To(Succeed())
		Expect(os.Symlink("/x", wants("other.service"))).To(Succeed())
		Expect(installer.Install(ctx, []string{"containerd"})).To(Succeed())
		Expect(os.ReadFile(path("usr/sbin/policy-rc.d"))).To(BeEquivalentTo("own"))
		Expect(os.ReadFile(path("etc/systemd/system/containerd.service"))).To(BeEquivalentTo("own"))
		for _, service := range []string{"containerd.service", "other.service"} {
			_, err := os.Lstat(wants(service))
			Expect(err).NotTo(HaveOccurred())
		}
	})

	It("works without systemd", func(ctx context.Context) {
		Expect(os.RemoveAll(path("etc"))).To(Succeed())
		Expect(installer.Install(ctx, []string{"runc"})).To(Succeed())
		Expect(path("etc")).NotTo(BeAnExistingFile())
	})
})
