// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuTime is the time that the threads of a process have run, to the nanosecond:
// /proc/<pid>/stat counts in hundredths of a second. A thread that has ended is
// not in it; neither Envoy nor Go ends threads under load.
func cpuTime(pid int) (time.Duration, error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(paths) == 0 {
		return 0, fmt.Errorf("process %d has no /proc/<pid>/task/*/schedstat: %w", pid, errors.Join(err, fs.ErrNotExist))
	}
	var sum time.Duration
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("reading CPU time: %w", err)
		}
		running, _, _ := strings.Cut(string(data), " ")
		ns, err := strconv.ParseInt(running, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading CPU time from %s: %w", path, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// Fields of /proc/<pid>/status.
const (
	residentNow  = "VmRSS"
	residentPeak = "VmHWM"
)

// resident is a process's resident memory in MiB, now or at its peak since
// forgetPeak.
func resident(pid int, field string) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading resident memory: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		if name != field {
			continue
		}
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", field, err)
		}
		return kib / 1024, nil
	}
	return 0, fmt.Errorf("process %d has no %s", pid, field)
}

// forgetPeak lets the peak begin anew.
func forgetPeak(pid int) error {
	const peak = "5" // proc(5), clear_refs
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte(peak), 0); err != nil {
		return fmt.Errorf("resetting the peak of resident memory: %w", err)
	}
	return nil
}
