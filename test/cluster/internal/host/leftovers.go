// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Leftovers lists what still refers to a cluster's folder: processes whose
// program, arguments, working folder, root or open files are in it, and mounts
// of or below it, in every mount namespace. proc is /proc.
func Leftovers(proc, dir string) ([]string, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, fmt.Errorf("looking for processes: %w", err)
	}
	var found []string
	mounts := map[string]bool{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		process := filepath.Join(proc, entry.Name())
		if use := usesOf(process, dir); use != "" {
			found = append(found, fmt.Sprintf("process %d (%s) uses %s", pid, name(process), use))
		}
		for _, mount := range mountsOf(process, dir) {
			if !mounts[mount] {
				mounts[mount] = true
				found = append(found, fmt.Sprintf("process %d (%s) sees the mount %s", pid, name(process), mount))
			}
		}
	}
	if _, err := os.Lstat(dir); err == nil {
		found = append(found, "the folder "+dir)
	}
	slices.Sort(found)
	return found, nil
}

// usesOf is the first way in which a process uses a folder. What can't be
// read belongs to a process that has just ended.
func usesOf(process, dir string) string {
	links := []string{filepath.Join(process, "exe"), filepath.Join(process, "cwd"), filepath.Join(process, "root")}
	if files, err := filepath.Glob(filepath.Join(process, "fd", "*")); err == nil {
		links = append(links, files...)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && within(strings.TrimSuffix(target, " (deleted)"), dir) {
			return target
		}
	}
	arguments, err := os.ReadFile(filepath.Join(process, "cmdline"))
	if err != nil {
		return ""
	}
	for argument := range strings.SplitSeq(string(arguments), "\x00") {
		if _, value, found := strings.Cut(argument, "="); found && within(value, dir) {
			return value
		}
		if within(argument, dir) {
			return argument
		}
	}
	return ""
}

// mountsOf are the mount points of a process's namespace that are in a
// folder, or whose source is.
func mountsOf(process, dir string) []string {
	content, err := os.ReadFile(filepath.Join(process, "mountinfo"))
	if err != nil {
		return nil
	}
	var found []string
	for line := range strings.Lines(string(content)) {
		// 36 35 98:0 /source /mount-point rw,noatime - ext4 /dev/root rw
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if within(fields[4], dir) || within(fields[3], dir) || strings.Contains(line, "upperdir="+dir+"/") {
			found = append(found, fields[4])
		}
	}
	return found
}

func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func name(process string) string {
	content, err := os.ReadFile(filepath.Join(process, "comm"))
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(content))
}
