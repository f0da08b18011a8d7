// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tars-operator/tars-operator/test/cluster/internal/cgroup"
)

// tunables are kernel settings of the whole machine that a kubelet would
// change. It sees what it wants to see instead, and leaves the host's alone.
var tunables = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// isolate makes the fresh mount and network namespaces of this process a
// place where the node's programs can do as they like: what they write below
// /run, /tmp, /var and /etc goes to memory, and the rest of the host's root
// file system can't be written to.
func (l Layout) isolate(ctx context.Context) error {
	if err := l.joinCgroup(); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cutting our mounts off from the host's: %w", err)
	}
	// The cluster's folders may be below one that is covered next: keep
	// handles on them, to put them back on top.
	kept := []string{l.Dir, l.Programs}
	handles := make([]int, len(kept))
	for i, dir := range kept {
		handle, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("opening %s: %w", dir, err)
		}
		handles[i] = handle
	}
	if err := coverHost(); err != nil {
		return err
	}
	for i, dir := range kept {
		if err := bind(handles[i], dir); err != nil {
			return err
		}
		if err := unix.Close(handles[i]); err != nil {
			return err
		}
	}
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("protecting the host's files: %w", err)
	}
	return network(ctx)
}

func (l Layout) joinCgroup() error {
	tree, err := cgroup.Open(l.Cgroup())
	if err != nil {
		return err
	}
	// Inside its process namespace this one is process 1, to itself too.
	return errors.Join(tree.Create(), tree.Join(cgroup.System, os.Getpid()))
}

func coverHost() error {
	for dir, options := range map[string]string{"/run": "mode=755", "/tmp": "mode=1777"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
			return fmt.Errorf("covering %s: %w", dir, err)
		}
	}
	for _, dir := range []string{"/var", "/etc"} {
		if err := overlay(dir); err != nil {
			return err
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for name, value := range tunables {
		if err := pretend(filepath.Join("/proc/sys", name), value); err != nil {
			return err
		}
	}
	return nil
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
		return fmt.Errorf("covering %s: %w", dir, err)
	}
	return nil
}

// pretend covers a file of /proc with one of our own.
func pretend(path, content string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil // this kernel has no such setting
	}
	own := filepath.Join("/run/tunables", filepath.Base(path))
	if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(own, []byte(content+"\n"), 0o600); err != nil {
		return err
	}
	if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("covering %s: %w", path, err)
	}
	return nil
}

// bind puts an open folder back to where it was, on top of what covers it.
func bind(handle int, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", handle), dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("putting %s back: %w", dir, err)
	}
	return nil
}

// network gives the node its address on an interface that leads nowhere.
func network(ctx context.Context) error {
	for _, args := range []string{
		"link set lo up",
		"link add node0 type veth peer name node1",
		"link set node1 up",
		"address add " + nodeNetwork + " dev node0",
		"link set node0 up",
		"route add default dev node0",
	} {
		if out, err := exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600)
}
