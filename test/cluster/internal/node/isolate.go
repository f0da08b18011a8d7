// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// isolate makes the fresh mount and network namespaces of this process a
// place where the node's programs can do as they like: what they write below
// /run, /var and /etc goes to memory, not to the host.
func (l Layout) isolate() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cutting our mounts off from the host's: %w", err)
	}
	// The cluster's folder may be below a folder that is overlaid next: keep
	// a handle on it, to put it back on top.
	dir, err := unix.Open(l.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening %s: %w", l.Dir, err)
	}
	programs, err := unix.Open(l.Programs, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening %s: %w", l.Programs, err)
	}
	for _, step := range []func() error{
		func() error { return unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755") },
		func() error { return overlay("/var") },
		func() error { return overlay("/etc") },
		func() error { return bind(dir, l.Dir) },
		func() error { return bind(programs, l.Programs) },
		func() error { return unix.Mount("proc", "/proc", "proc", 0, "") },
		l.makeCgroup,
		network,
	} {
		if err := step(); err != nil {
			return fmt.Errorf("preparing the cluster's namespaces: %w", err)
		}
	}
	return errors.Join(unix.Close(dir), unix.Close(programs))
}

// overlay puts a layer in memory over a folder.
func overlay(dir string) error {
	scratch := filepath.Join("/run/overlay", dir)
	upper, work := filepath.Join(scratch, "upper"), filepath.Join(scratch, "work")
	if err := errors.Join(os.MkdirAll(upper, 0o755), os.MkdirAll(work, 0o755)); err != nil {
		return err
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work)
	if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
		return fmt.Errorf("overlaying %s: %w", dir, err)
	}
	return nil
}

// bind puts an open folder back to where it was, below an overlay.
func bind(fd int, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", fd), dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("putting %s back: %w", dir, err)
	}
	return nil
}

// makeCgroup makes the parent of all pods' cgroups in every hierarchy.
func (l Layout) makeCgroup() error {
	for _, hierarchy := range Hierarchies() {
		dir := filepath.Join(hierarchy, l.Cgroup())
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		// A new cpuset allows nothing until it is told what.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			inherited, err := os.ReadFile(filepath.Join(hierarchy, file))
			if err != nil {
				continue // not this hierarchy
			}
			if err := os.WriteFile(filepath.Join(dir, file), inherited, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// Hierarchies are the roots of all cgroup hierarchies: one with cgroup v2.
func Hierarchies() []string {
	const root = "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		return []string{root}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil
	}
	var found []string
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) > 2 && fields[2] == "cgroup" && strings.HasPrefix(fields[1], root+"/") {
			found = append(found, fields[1])
		}
	}
	return found
}

// network gives the node its address on an interface that leads nowhere.
func network() error {
	for _, args := range []string{
		"link set lo up",
		"link add node0 type veth peer name node1",
		"link set node1 up",
		"address add " + nodeNetwork + " dev node0",
		"link set node0 up",
		"route add default dev node0",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}
