// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
	"github.com/tars-operator/tars-operator/test/dataplane/harness"
)

const (
	startTimeout = harness.StartTimeout
	endTimeout   = harness.EndTimeout
	poll         = harness.Poll
)

// options are those of a process of this spec or suite.
func options() harness.Options {
	GinkgoHelper()
	return harness.Options{Root: filepath.Join("..", ".."), Dir: GinkgoT().TempDir(), Binary: world.binary, Log: GinkgoWriter}
}

// extproc is a running external processor.
type extproc struct {
	*harness.Extproc
}

// startExtproc runs an external processor on free ports, or on the given gRPC
// address, with further variables.
func startExtproc(cfg config.Config, grpcAddress string, env ...string) *extproc {
	GinkgoHelper()
	o := options()
	o.Env = env
	started, err := harness.StartExtproc(context.Background(), o, grpcAddress, cfg)
	Expect(err).NotTo(HaveOccurred())
	return &extproc{started}
}

// startChecked runs one that a data race ends, where the suite has the race detector.
func startChecked(cfg config.Config, env ...string) *extproc {
	GinkgoHelper()
	o := options()
	o.Binary, o.Env = world.checked, append(env, "GORACE=halt_on_error=1")
	started, err := harness.StartExtproc(context.Background(), o, "127.0.0.1:0", cfg)
	Expect(err).NotTo(HaveOccurred())
	return &extproc{started}
}

func (e *extproc) kill() {
	GinkgoHelper()
	Expect(e.Kill()).To(Succeed())
}

func (e *extproc) signal(s syscall.Signal) {
	GinkgoHelper()
	Expect(e.Signal(s)).To(Succeed())
}

// metrics returns the lines of /metrics that begin so.
func (e *extproc) metrics(prefix string) []string {
	GinkgoHelper()
	body := fetch("http://" + e.HTTP + "/metrics")
	var lines []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
