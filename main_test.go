// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestCommands(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Commands")
}

var _ = DescribeTable("The exit code is",
	func(code int, args ...string) {
		var stdout, stderr bytes.Buffer
		Expect(run(context.Background(), args, &stdout, &stderr)).To(Equal(code), stderr.String())
		if code == 0 {
			Expect(stdout.Len() + stderr.Len()).NotTo(BeZero())
		} else {
			Expect(stderr.String()).NotTo(BeEmpty())
			Expect(stdout.String()).To(BeEmpty())
		}
	},
	Entry("0 for help", 0, "--help"),
	Entry("0 for a command's help", 0, "render", "--help"),
	Entry("0 for the version", 0, "version"),
	Entry("0 for a sample that is rendered", 0, "render", "-f", filepath.Join("config", "samples", "gateway_v1alpha1_tarsbackend.yaml")),
	Entry("0 for a sample without a complaint", 0, "check", "-f", filepath.Join("config", "samples", "gateway_v1alpha1_tarsbackend.yaml")),
	Entry("1 for a file that is not there", 1, "render", "-f", "no-such-file.yaml"),
	Entry("1 for a command that lacks what it needs", 1, "manager"),
	Entry("2 without a command", 2),
	Entry("2 for a command that there is not", 2, "rendre"),
	Entry("2 for a flag that there is not", 2, "render", "--nonsense"),
	Entry("2 for flags that exclude each other", 2, "check", "-A", "-n", "team"),
)
