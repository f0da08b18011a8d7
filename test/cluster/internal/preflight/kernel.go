// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// feature is one thing that a kernel must be able to do.
type feature struct {
	name string
	try  func(ctx context.Context) error
}

// features are tried in this order; later ones use what earlier ones made.
var features = []feature{
	{"mounts in memory (tmpfs)", func(context.Context) error {
		return unix.Mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777")
	}},
	{"overlay mounts (module overlay)", tryOverlay},
	{"/proc of a process namespace", func(context.Context) error { return unix.Mount("proc", "/proc", "proc", 0, "") }},
	{"pairs of virtual interfaces (module veth)", commands("ip link add a0 type veth peer name a1")},
	{"bridges (module bridge)", commands("ip link add b0 type bridge", "ip link set a1 master b0")},
	{"address translation in iptables (modules nf_nat, xt_MASQUERADE, xt_comment, xt_statistic, xt_conntrack, xt_mark)", commands(
		"iptables -w -t nat -N PROBE",
		"iptables -w -t nat -A PROBE -m comment --comment probe -m statistic --mode random --probability 0.5 -j MARK --set-xmark 0x1/0x1",
		"iptables -w -t nat -A POSTROUTING -m mark --mark 0x1/0x1 -j MASQUERADE",
		"iptables -w -t nat -A PROBE -p tcp -j DNAT --to-destination 192.0.2.1:80",
		"iptables -w -A FORWARD -m conntrack --ctstate INVALID -j DROP",
	)},
	{"forwarding of packets", func(context.Context) error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600)
	}},
}

// TryKernel does, once, what a node does, and returns the names of what did
// not work with the reason. It must run in mount, process and network
// namespaces of its own: they end with it, and all it did.
func TryKernel(ctx context.Context) []string {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return []string{"private mounts (" + err.Error() + ")"}
	}
	return try(ctx, features)
}

func try(ctx context.Context, all []feature) []string {
	var failed []string
	for _, f := range all {
		if err := f.try(ctx); err != nil {
			failed = append(failed, f.name+" ("+strings.Join(strings.Fields(err.Error()), " ")+")")
		}
	}
	return failed
}

func tryOverlay(context.Context) error {
	for _, dir := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir("/tmp/"+dir, 0o755); err != nil {
			return err
		}
	}
	return unix.Mount("overlay", "/tmp/merged", "overlay", 0, "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work")
}

// commands runs some commands; one that is not installed is reported as a
// missing program already.
func commands(lines ...string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for _, line := range lines {
			words := strings.Fields(line)
			out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
			if errors.Is(err, exec.ErrNotFound) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w: %s", line, err, out)
			}
		}
		return nil
	}
}
