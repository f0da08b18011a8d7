// SPDX-License-Identifier: Apache-2.0

package dataplane

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
)

const (
	// startTimeout is for a process to be ready on a busy machine.
	startTimeout = 30 * time.Second
	// endTimeout is for a process to end.
	endTimeout = 30 * time.Second
	// poll is how often a state is looked at.
	poll = 20 * time.Millisecond
)

// process is a child process of a spec; it is ended by its pid.
type process struct {
	name   string
	cmd    *exec.Cmd
	output syncBuffer
	done   chan struct{}
	err    error // valid once done is closed
}

// syncBuffer is a bytes.Buffer for two goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start runs a command; its output goes to the spec's output too.
func start(name string, cmd *exec.Cmd) *process {
	GinkgoHelper()
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout = io.MultiWriter(&p.output, GinkgoWriter)
	cmd.Stderr = cmd.Stdout
	Expect(cmd.Start()).To(Succeed())
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p
}

func (p *process) signal(s syscall.Signal) {
	GinkgoHelper()
	Expect(p.cmd.Process.Signal(s)).To(Succeed())
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the process if it still runs.
func (p *process) kill() {
	GinkgoHelper()
	if p.ended() {
		return
	}
	p.signal(syscall.SIGKILL)
	Eventually(p.done).WithTimeout(endTimeout).Should(BeClosed())
}

// extproc is a running external processor.
type extproc struct {
	*process

	grpc, http string // addresses
}

// startExtproc runs an external processor on free ports, or on the given gRPC
// address.
func startExtproc(cfg config.Config, grpcAddress string) *extproc {
	GinkgoHelper()
	data, _, err := config.Marshal(cfg)
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(GinkgoT().TempDir(), config.FileName)
	Expect(os.WriteFile(path, data, 0o600)).To(Succeed())
	cmd := exec.Command(world.binary, "extproc", "--config", path, "--grpc-bind-address", grpcAddress,
		"--http-bind-address", "127.0.0.1:0", "--zap-log-level=debug")
	cmd.Env = append(os.Environ(), "POD_NAME=pod-of-the-test", "EXTPROC_MEMORY_LIMIT=268435456")
	e := &extproc{process: start("extproc", cmd)}
	Eventually(e.addresses).WithTimeout(startTimeout).WithPolling(poll).Should(BeTrue())
	return e
}

// addresses looks for the line of the log that names them.
func (e *extproc) addresses() bool {
	for line := range strings.Lines(e.output.String()) {
		var entry struct{ Msg, GRPC, HTTP string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
			e.grpc, e.http = entry.GRPC, entry.HTTP
			return true
		}
	}
	return false
}

// metrics returns the lines of /metrics that begin so.
func (e *extproc) metrics(prefix string) []string {
	GinkgoHelper()
	body := fetch("http://" + e.http + "/metrics")
	var lines []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
