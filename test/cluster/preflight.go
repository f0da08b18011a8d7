// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/tars-operator/tars-operator/test/cluster/internal/host"
)

// preflight says everything that this machine lacks, at once.
func preflight(_ env, args []string) error {
	var install bool
	if _, err := flags("preflight", args, func(set *flag.FlagSet) {
		set.BoolVar(&install, "install", false, "install missing Debian packages first")
	}); err != nil {
		return err
	}
	if install {
		if err := installPackages(host.MissingPackages()); err != nil {
			return err
		}
	}
	problems := host.Check()
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("this machine can't run the local cluster:\n  - %s", strings.Join(problems, "\n  - "))
}

func installPackages(packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("there is no apt-get here: install by hand what the check names")
	}
	// The distribution's own containerd must not start: this cluster runs its
	// own. A policy-rc.d that is there already stays.
	const policy = "/usr/sbin/policy-rc.d"
	if _, err := os.Stat(policy); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
			return err
		}
		defer func() { _ = os.Remove(policy) }() //nolint:errcheck // a left-over only keeps services from starting
	}
	for _, args := range [][]string{
		{"update"},
		append([]string{"install", "--yes", "--no-install-recommends"}, packages...),
	} {
		cmd := exec.Command("apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}
