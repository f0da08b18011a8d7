// SPDX-License-Identifier: Apache-2.0

// Package host starts and ends the few processes that a cluster has on the
// host, and leaves alone every process that it did not start.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// pollInterval is how often End looks whether a process is gone.
const pollInterval = 20 * time.Millisecond

// Process identifies a process beyond the reuse of its id.
type Process struct {
	PID int `json:"pid"`
	// Start is the time of its start in clock ticks since boot.
	Start string `json:"start"`
}

// Start runs a command in the background, in a session of its own, and
// records it in a file. Its output goes to a log.
func Start(cmd *exec.Cmd, record, log string) (p Process, err error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	if err := cmd.Start(); err != nil {
		return p, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	p = Process{PID: cmd.Process.Pid, Start: startTime(cmd.Process.Pid)}
	content, err := json.Marshal(p)
	if err != nil {
		return p, err
	}
	return p, os.WriteFile(record, content, 0o600)
}

// Recorded reads a process from its file; ok: it still runs.
func Recorded(record string) (p Process, ok bool) {
	content, err := os.ReadFile(record)
	if err != nil || json.Unmarshal(content, &p) != nil {
		return p, false
	}
	return p, p.Alive()
}

// Alive tells whether this very process runs.
func (p Process) Alive() bool {
	start := startTime(p.PID)
	return start != "" && start == p.Start
}

// End kills this very process and waits until it is gone.
func (p Process) End(ctx context.Context) error {
	if !p.Alive() {
		return nil
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending process %d: %w", p.PID, err)
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for p.Alive() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for process %d to end: %w", p.PID, ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

// startTime is field 22 of /proc/<pid>/stat; empty: no such process, or one
// that has ended and waits to be reaped.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the program's name in parentheses and may hold
	// anything, spaces and parentheses too.
	_, rest, found := strings.Cut(string(stat[max(0, strings.LastIndexByte(string(stat), ')')):]), ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}
