// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// shell is a command of some lines of shell.
func shell(script string) command { return command{args: []string{"sh", "-c", script}} }

var _ = Describe("a build step's command", func() {
	It("has its folder and environment", func(ctx context.Context) {
		c := shell("pwd; echo $EXAMPLE")
		c.dir, c.env = GinkgoT().TempDir(), []string{"EXAMPLE=1"}
		Expect(run(ctx, c)).To(Equal(c.dir + "\n1\n"))
	})

	It("shows its output when it fails", func(ctx context.Context) {
		_, err := run(ctx, shell("echo on stdout; echo on stderr >&2; exit 3"))
		Expect(err).To(MatchError(And(ContainSubstring("on stdout"), ContainSubstring("on stderr"), ContainSubstring("exit status 3"))))
	})

	It("shows only the end of much output", func(ctx context.Context) {
		_, err := run(ctx, shell("seq 1 1000 >&2; exit 1"))
		Expect(err).To(MatchError(And(ContainSubstring("\n1000"), ContainSubstring("\n961\n"))))
		Expect(err).NotTo(MatchError(ContainSubstring("\n960\n")))
	})

	It("is watched line by line, however they are cut", func(ctx context.Context) {
		var seen []string
		c := shell("printf 'one\\ntw' >&2; printf 'o\\nthree\\n' >&2; echo not this")
		c.watch = func(line string) { seen = append(seen, line) }
		Expect(run(ctx, c)).To(Equal("not this\n"))
		Expect(seen).To(Equal([]string{"one", "two", "three"}))
	})

	It("ends when it is told to", func(ctx context.Context) {
		limited, cancel := context.WithCancel(ctx)
		c := shell("echo begun >&2; exec sleep 60")
		c.watch = func(string) { cancel() }
		_, err := run(limited, c)
		Expect(err).To(HaveOccurred())
		Expect(ctx.Err()).NotTo(HaveOccurred())
	}, SpecTimeout(waitTimeout))
})

var _ = Describe("lines", func() {
	It("keeps everything, with or without someone who watches", func() {
		for _, watch := range []func(string){nil, func(string) {}} {
			l := &lines{watch: watch}
			for _, piece := range []string{"a\nb", "", "c\n", "rest"} {
				Expect(fmt.Fprint(l, piece)).To(Equal(len(piece)))
			}
			Expect(l.all.String()).To(Equal("a\nbc\nrest"))
		}
	})
})

var _ = DescribeTable("lastLines",
	func(text string, want string) { Expect(lastLines(text)).To(Equal(want)) },
	Entry("of nothing", "", ""),
	Entry("of few", "a\nb\n", "a\nb"),
	Entry("of as many as are shown", strings.Repeat("x\n", errorLines), strings.TrimRight(strings.Repeat("x\n", errorLines), "\n")),
	Entry("of more", "first\n"+strings.Repeat("x\n", errorLines), strings.TrimRight(strings.Repeat("x\n", errorLines), "\n")),
)
