// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestObservability(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "observability")
}

const (
	root      = "../.."
	rulesFile = root + "/config/prometheus/rules.yaml"
	runbook   = root + "/docs/runbook.md"
)

// program finds prometheus or promtool, or says how to get it.
func program(name string) string {
	GinkgoHelper()
	if dir := os.Getenv("TARS_TEST_PROMETHEUS"); dir != "" {
		return filepath.Join(dir, name)
	}
	cmd := exec.Command(filepath.Join(root, "test/cluster/cluster"), "tool", name)
	cmd.Stderr = GinkgoWriter
	out, err := cmd.Output()
	Expect(err).NotTo(HaveOccurred(), "no %s: set TARS_TEST_PROMETHEUS to a folder that holds it, or mend 'test/cluster/cluster tool %s'", name, name)
	return strings.TrimSpace(string(out))
}

func read(path string) string {
	GinkgoHelper()
	text, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}
