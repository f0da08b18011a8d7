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

// process is what the kernel tells of one (proc_pid_stat(5)).
type process struct {
	name   string
	parent int
	cpu    time.Duration
}

func readProcess(pid int) (process, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, fmt.Errorf("reading a process's CPU time: %w", err)
	}
	before, after, _ := strings.Cut(string(data), ") ")
	_, name, _ := strings.Cut(before, "(")
	fields := strings.Fields(after)
	const parent, user, system, perSecond = 1, 11, 12, 100 // behind the name
	var numbers [system + 1]int64
	for _, i := range []int{parent, user, system} {
		if numbers[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return process{}, fmt.Errorf("reading a process's CPU time: %w", err)
		}
	}
	cpu := time.Duration(numbers[user]+numbers[system]) * time.Second / perSecond
	return process{name: name, parent: int(numbers[parent]), cpu: cpu}, nil
}

// others are the CPU seconds of what shares the cores with the manager, by the name
// of the process: this one, whose stubs play the rest of the cluster, and those that
// it has started.
func others(m *operator) (map[string]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	seconds := map[string]int{}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == m.cmd.Process.Pid {
			continue
		}
		p, err := readProcess(pid)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it has ended
		case err != nil:
			return nil, err
		case pid == os.Getpid():
			seconds["the stubs"] = int(p.cpu.Seconds())
		case p.parent == os.Getpid():
			seconds[p.name] = int(p.cpu.Seconds())
		}
	}
	return seconds, nil
}
