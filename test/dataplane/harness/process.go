// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// StartTimeout is for a process to be ready on a busy machine.
	StartTimeout = 30 * time.Second
	// EndTimeout is for a process to end.
	EndTimeout = 30 * time.Second
	// Poll is how often a state is looked at.
	Poll = 20 * time.Millisecond
)

// Process is a child process; it is ended by its pid.
type Process struct {
	name   string
	cmd    *exec.Cmd
	output buffer
	done   chan struct{}
	err    error // valid once done is closed
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start runs a command.
func start(name string, cmd *exec.Cmd, log io.Writer) (*Process, error) {
	p := &Process{name: name, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout = io.MultiWriter(&p.output, log)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// PeakMemory is the most memory that the process ever had resident, in bytes.
func (p *Process) PeakMemory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory of %s: %w", p.name, err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int64
	if _, err := fmt.Sscanf(rest, "%d kB", &kilobytes); err != nil {
		return 0, fmt.Errorf("reading the memory of %s: %w", p.name, err)
	}
	return kilobytes << 10, nil
}

// Output is what the process has printed until now.
func (p *Process) Output() string { return p.output.String() }

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed once the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the process ended; it may be asked once Done is closed.
func (p *Process) Err() error { return p.err }

// Ended tells whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Signal sends a signal to the process.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("sending %s to %s: %w", s, p.name, err)
	}
	return nil
}

// Kill ends the process if it still runs, and waits for its end.
func (p *Process) Kill() error {
	if p.Ended() {
		return nil
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(EndTimeout):
		return fmt.Errorf("%s still runs %s after it was killed", p.name, EndTimeout)
	}
}

// ready waits until try succeeds; its last error says why it never did. A
// process that is not ready in time is killed.
func (p *Process) ready(try func() error) error {
	err := p.await(try)
	if err == nil {
		return nil
	}
	if killErr := p.Kill(); killErr != nil {
		return fmt.Errorf("%w; %w", err, killErr)
	}
	return err
}

func (p *Process) await(try func() error) error {
	timeout, tick := time.NewTimer(StartTimeout), time.NewTicker(Poll)
	defer timeout.Stop()
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready (%w): %s", p.name, p.err, p.Output())
		case <-timeout.C:
			return fmt.Errorf("%s is not ready after %s: %w", p.name, StartTimeout, err)
		case <-tick.C:
		}
	}
}
