// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pollInterval is how often End looks whether the kernel is done: a killed
// process stays for a moment.
const pollInterval = 20 * time.Millisecond

// End kills all processes in the cluster's groups, and removes the groups.
// Without groups it does nothing. The caller's own process is spared, and
// taken out first.
func (t Tree) End(ctx context.Context) error {
	if err := t.leave(); err != nil {
		return err
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		pids, err := t.Processes()
		if err != nil {
			return err
		}
		for _, pid := range pids {
			if err := t.kill(pid); err != nil {
				return err
			}
		}
		if len(pids) == 0 {
			err = t.remove()
			if err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for %d processes in the cgroups %s to end: %w", len(pids), t.Name, ctx.Err()), err)
		case <-ticker.C:
		}
	}
}

// leave takes this process out of the groups that it is about to end.
func (t Tree) leave() error {
	pids, err := t.Processes()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if pid == os.Getpid() {
			return Tree{hierarchies: t.hierarchies}.Join("", pid)
		}
	}
	return nil
}

// kill ends a process if it is still in the cluster's groups: by then its id
// may belong to another one.
func (t Tree) kill(pid int) error {
	handle, err := unix.PidfdOpen(pid, 0)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening process %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(handle) }() //nolint:errcheck // nothing was written
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if isGone(err) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the cgroups of process %d: %w", pid, err)
	}
	if !t.holds(string(content)) {
		return nil
	}
	if err := unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0); err != nil && !isGone(err) {
		return fmt.Errorf("ending process %d: %w", pid, err)
	}
	return nil
}

// holds tells whether a process is in the cluster's groups by the content of
// its /proc/<pid>/cgroup.
func (t Tree) holds(content string) bool {
	for line := range strings.Lines(content) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && (parts[2] == "/"+t.Name || strings.HasPrefix(parts[2], "/"+t.Name+"/")) {
			return true
		}
	}
	return false
}

func (t Tree) remove() error {
	for _, top := range t.Folders() {
		if err := removeTree(top); err != nil {
			return fmt.Errorf("removing cgroup %s: %w", top, err)
		}
	}
	return nil
}

// removeTree removes a folder of folders, deepest first: a cgroup's own files
// can't be removed and go with it.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// isGone: the kernel's word for a process or group that has just ended.
func isGone(err error) bool { return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) }
