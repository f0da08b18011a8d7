// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"flag"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"github.com/tars-operator/tars-operator/controllers/cli"
)

var _ = Describe("A command line", func() {
	var (
		out   *gbytes.Buffer
		fs    *flag.FlagSet
		files cli.Files
		loud  *bool
	)

	BeforeEach(func() {
		out, fs, files = gbytes.NewBuffer(), &flag.FlagSet{}, nil
		fs.Var(&files, "f", "A file.")
		loud = fs.Bool("loud", false, "Be loud.")
	})

	parse := func(args ...string) ([]string, error) {
		return cli.Command{Name: "sing", Synopsis: "[NAME]", Description: "Sings.\n", Stderr: out}.Parse(fs, args)
	}

	It("may mix flags and arguments", func() {
		rest, err := parse("a", "-f", "x", "b", "--loud", "-f=-", "c")
		Expect(err).NotTo(HaveOccurred())
		Expect(rest).To(Equal([]string{"a", "b", "c"}))
		Expect(files).To(Equal(cli.Files{"x", "-"}))
		Expect(*loud).To(BeTrue())
	})

	DescribeTable("is a wrong call", func(word string, args ...string) {
		_, err := parse(args...)
		Expect(err).To(MatchError(cli.ErrUsage))
		Expect(err).To(MatchError(And(ContainSubstring(word), ContainSubstring("sing --help"))))
	},
		Entry("with a flag that there is not", "-quiet", "-quiet"),
		Entry("with an empty file name", "-f", "-f="),
		Entry("with a flag that lacks its value", "-f", "a", "-f"),
	)

	It("gives help where it is asked for", func() {
		_, err := parse("a", "-h")
		Expect(err).To(MatchError(flag.ErrHelp))
		Expect(out).To(gbytes.Say(`Usage: tars-operator sing \[NAME\]`))
		Expect(out).To(gbytes.Say("Sings."))
		Expect(out).To(gbytes.Say("Be loud."))
	})
})
