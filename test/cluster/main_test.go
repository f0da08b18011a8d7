// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/test/cluster/internal/build"
)

func TestCluster(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/cluster")
}

var _ = DescribeTable("clusterName",
	func(command string, args []string, name string, rest ...string) {
		gotName, gotRest, err := clusterName(command, args)
		Expect(err).NotTo(HaveOccurred())
		Expect(gotName).To(Equal(name))
		Expect(gotRest).To(HaveExactElements(rest))
	},
	Entry("is demo", "up", nil, "demo"),
	Entry("before other flags", "up", []string{"--name", "blue", "--install"}, "blue", "--install"),
	Entry("behind other flags", "down", []string{"--verify", "--name", "blue"}, "blue", "--verify"),
	Entry("in one word", "up", []string{"--name=blue"}, "blue"),
	Entry("behind arguments", "forward", []string{"80", "a:80", "--name", "blue"}, "blue", "80", "a:80"),
	Entry("before a command", "exec", []string{"--name", "blue", "ip", "a"}, "blue", "ip", "a"),
	Entry("not that of another program", "exec", []string{"prog", "--name", "x"}, "demo", "prog", "--name", "x"),
)

var _ = DescribeTable("clusterName refuses",
	func(args ...string) {
		_, _, err := clusterName("up", args)
		Expect(err).To(HaveOccurred())
	},
	Entry("nothing", "--name"),
	Entry("an empty name", "--name", ""),
	Entry("another folder", "--name", "../x"),
	Entry("a space", "--name", "a b"),
	Entry("capitals", "--name", "Blue"),
	Entry("a dot", "--name", "."),
	Entry("a dash at the end", "--name", "a-"),
	Entry("33 letters", "--name", strings.Repeat("a", 33)),
)

var _ = Describe("newEnv", func() {
	BeforeEach(func() {
		GinkgoT().Setenv("TARS_OPERATOR_ROOT", "")
		GinkgoT().Setenv("TARS_OPERATOR_CACHE", "")
		GinkgoT().Setenv("XDG_CACHE_HOME", "")
	})

	It("finds the checkout above this folder, without the script", func() {
		top, err := filepath.Abs("../..")
		Expect(err).NotTo(HaveOccurred())
		e, err := newEnv("blue")
		Expect(err).NotTo(HaveOccurred())
		Expect(e.builder.Root).To(Equal(top))
	})

	It("finds it nowhere else", func() {
		GinkgoT().Chdir(GinkgoT().TempDir())
		_, err := newEnv("blue")
		Expect(err).To(MatchError(ContainSubstring("test/cluster/cluster")))
	})

	It("uses the user's cache, or the one that is named", func() {
		GinkgoT().Setenv("XDG_CACHE_HOME", "/no/such/cache")
		e, err := newEnv("blue")
		Expect(err).NotTo(HaveOccurred())
		Expect(e.builder.Cache).To(Equal("/no/such/cache/tars-operator"))
		Expect(e.layout.Dir).To(Equal("/no/such/cache/tars-operator/clusters/blue"))
		GinkgoT().Setenv("TARS_OPERATOR_CACHE", "/no/other")
		e, err = newEnv("blue")
		Expect(err).NotTo(HaveOccurred())
		Expect(e.builder.Cache).To(Equal("/no/other"))
	})

	It("knows the cache by its real name, as the kernel does", func() {
		dir := GinkgoT().TempDir()
		target := filepath.Join(dir, "target")
		Expect(os.Mkdir(target, 0o755)).To(Succeed())
		Expect(os.Symlink(target, filepath.Join(dir, "link"))).To(Succeed())
		GinkgoT().Setenv("TARS_OPERATOR_CACHE", filepath.Join(dir, "link"))
		e, err := newEnv("blue")
		Expect(err).NotTo(HaveOccurred())
		Expect(e.builder.Cache).To(HaveSuffix("/target"))
	})

	It("refuses a cache in which no socket can be", func() {
		GinkgoT().Setenv("TARS_OPERATOR_CACHE", "/"+strings.Repeat("long/", 20))
		_, err := newEnv("blue")
		Expect(err).To(MatchError(ContainSubstring("TARS_OPERATOR_CACHE")))
	})
})

var _ = Describe("the usage", func() {
	It("names every command, and none that is not there", func() {
		named := map[string]bool{}
		for _, match := range regexp.MustCompile(`(?m)^  ([a-z]+)( |$)`).FindAllStringSubmatch(usage, -1) {
			named[match[1]] = true
		}
		delete(named, "export")
		delete(named, "test")
		delete(named, "kubectl")
		all := commands()
		for name := range all {
			if !strings.HasPrefix(name, "internal-") {
				Expect(named).To(HaveKey(name))
			}
		}
		for name := range named {
			Expect(all).To(HaveKey(name))
		}
	})

	It("is refused a command that is not there", func(ctx context.Context) {
		Expect(run(ctx, []string{"fly"})).To(MatchError(ContainSubstring(`no command "fly"`)))
	})
})

var _ = Describe("flags", func() {
	It("are refused when they are not known, with the command's name", func() {
		_, err := parse("up", []string{"--fast"}, func(*flag.FlagSet) {})
		Expect(err).To(MatchError(ContainSubstring("up: flag provided but not defined: -fast")))
	})

	It("are not arguments where there are none", func() {
		rest, err := parse("up", []string{"now"}, func(*flag.FlagSet) {})
		Expect(none("up", rest, err)).To(MatchError(`up takes no argument "now"`))
	})
})

var _ = Describe("the class of Gateways", func() {
	It("runs the Envoy that is loaded", func() {
		content, err := os.ReadFile("manifests/gatewayclass.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(string(content)).To(ContainSubstring("image: " + build.EnvoyImage + "\n"))
	})
})
