// SPDX-License-Identifier: Apache-2.0

// Package cgroup keeps all processes of a cluster in cgroups of its own. They
// are found by that again, and ended, whatever was lost or killed before.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Root is where every distribution mounts cgroups.
const Root = "/sys/fs/cgroup"

// Groups below a cluster's own.
const (
	// Pods is the parent of all pods' cgroups; only the kubelet puts
	// something into it.
	Pods = "pods"
	// System holds the node's programs, Host what a cluster has outside of
	// its namespaces.
	System = "system"
	Host   = "host"
)

// Tree is a cluster's cgroups in every hierarchy of the machine.
type Tree struct {
	// Name is the top folder's in every hierarchy.
	Name string
	// hierarchies are the mount points; there is one with cgroup v2.
	hierarchies []string
}

// Open finds the machine's hierarchies.
func Open(name string) (Tree, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return Tree{}, fmt.Errorf("looking for cgroups: %w", err)
	}
	found := Hierarchies(string(mounts))
	if len(found) == 0 {
		return Tree{}, fmt.Errorf("no cgroups are mounted at %s", Root)
	}
	return Tree{Name: name, hierarchies: found}, nil
}

// Hierarchies are the mount points of cgroups in the content of /proc/mounts.
func Hierarchies(mounts string) []string {
	var found []string
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[2] != "cgroup" && fields[2] != "cgroup2" {
			continue
		}
		if fields[1] == Root || strings.HasPrefix(fields[1], Root+"/") {
			found = append(found, fields[1])
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Create makes the groups in every hierarchy, and lets them be used.
func (t Tree) Create() error {
	for _, hierarchy := range t.hierarchies {
		top := filepath.Join(hierarchy, t.Name)
		if err := delegate(hierarchy); err != nil {
			return err
		}
		if err := makeGroup(top); err != nil {
			return err
		}
		if err := delegate(top); err != nil {
			return err
		}
		for _, group := range []string{Pods, System, Host} {
			if err := makeGroup(filepath.Join(top, group)); err != nil {
				return err
			}
		}
	}
	return nil
}

func makeGroup(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making a cgroup: %w", err)
	}
	// With version 1, a new cpuset takes no process until it is told where
	// that may run.
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		inherited, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
		if errors.Is(err, fs.ErrNotExist) || len(strings.TrimSpace(string(inherited))) == 0 {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading a cpuset: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), inherited, 0o600); err != nil {
			return fmt.Errorf("filling a cpuset: %w", err)
		}
	}
	return nil
}

// delegate lets a group's children use all controllers that it has: with
// version 2 they have none otherwise, with version 1 there is nothing to do.
func delegate(dir string) error {
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the controllers of %s: %w", dir, err)
	}
	enabled, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return fmt.Errorf("reading the controllers of %s: %w", dir, err)
	}
	for controller := range strings.FieldsSeq(string(controllers)) {
		if slices.Contains(strings.Fields(string(enabled)), controller) {
			continue
		}
		file := filepath.Join(dir, "cgroup.subtree_control")
		if err := os.WriteFile(file, []byte("+"+controller), 0o600); err != nil {
			return fmt.Errorf("enabling the controller %s for the children of %s (in a container: start it with --cgroupns=host): %w",
				controller, dir, err)
		}
	}
	return nil
}

// Join moves a process into one of the groups, and so all it starts later.
func (t Tree) Join(group string, pid int) error {
	for _, hierarchy := range t.hierarchies {
		file := filepath.Join(hierarchy, t.Name, group, "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0o600); err != nil {
			return fmt.Errorf("moving process %d into a cgroup: %w", pid, err)
		}
	}
	return nil
}

// Folders are the top folders that are there.
func (t Tree) Folders() []string {
	var there []string
	for _, hierarchy := range t.hierarchies {
		top := filepath.Join(hierarchy, t.Name)
		if _, err := os.Stat(top); err == nil {
			there = append(there, top)
		}
	}
	return there
}

// Processes are the ids of all processes in the cluster's groups.
func (t Tree) Processes() ([]int, error) {
	var pids []int
	for _, top := range t.Folders() {
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			// Groups of pods come and go meanwhile.
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || entry.IsDir() || entry.Name() != "cgroup.procs" {
				return err
			}
			found, err := processesOf(path)
			pids = append(pids, found...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("looking for processes in %s: %w", top, err)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

func processesOf(file string) ([]int, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || isGone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.FieldsSeq(string(content)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		// 0 stands for a process of another process namespace.
		if pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
