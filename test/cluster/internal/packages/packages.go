// SPDX-License-Identifier: Apache-2.0

// Package packages installs Debian packages without starting, or letting start
// later, the services that they bring.
package packages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Where Debian has what decides about services.
const (
	policyFile  = "usr/sbin/policy-rc.d"
	systemdDir  = "etc/systemd/system"
	noServices  = "#!/bin/sh\nexit 101\n"
	devNull     = "/dev/null"
	serviceUnit = ".service"
)

// Installer installs packages into the system at Root.
type Installer struct {
	// Root is "/".
	Root string
	// Run runs a program with arguments.
	Run func(ctx context.Context, name string, args ...string) error
}

// New installs into this machine, by apt-get.
func New() Installer {
	return Installer{Root: "/", Run: func(ctx context.Context, name string, args ...string) error {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
		}
		return nil
	}}
}

// Install installs packages. A service that one of them brings, under its own
// name, neither runs nor is enabled afterwards; all others stay as they are.
func (i Installer) Install(ctx context.Context, names []string) (err error) {
	if len(names) == 0 {
		return nil
	}
	release, err := i.holdServices(names)
	defer func() { err = errors.Join(err, release()) }()
	if err != nil {
		return err
	}
	if err := i.Run(ctx, "apt-get", "update"); err != nil {
		return err
	}
	return i.Run(ctx, "apt-get", append([]string{"install", "--yes", "--no-install-recommends"}, names...)...)
}

// holdServices keeps services of the packages from being started, by the two
// ways that Debian has, until they are released again.
func (i Installer) holdServices(names []string) (release func() error, err error) {
	var undo []func() error
	release = func() error {
		var errs []error
		for _, do := range slices.Backward(undo) {
			errs = append(errs, do())
		}
		return errors.Join(errs...)
	}
	policy := filepath.Join(i.Root, policyFile)
	if _, err := os.Lstat(policy); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(policy, []byte(noServices), 0o755); err != nil {
			return release, fmt.Errorf("keeping services from starting: %w", err)
		}
		undo = append(undo, func() error { return os.Remove(policy) })
	}
	before := i.enabled(names)
	undo = append(undo, func() error { return i.disable(names, before) })
	units := filepath.Join(i.Root, systemdDir)
	if _, err := os.Stat(units); errors.Is(err, fs.ErrNotExist) {
		return release, nil // no systemd here
	}
	for _, name := range names {
		mask := filepath.Join(units, name+serviceUnit)
		if _, err := os.Lstat(mask); err == nil {
			continue // the administrator's own
		}
		if err := os.Symlink(devNull, mask); err != nil {
			return release, fmt.Errorf("keeping services from starting: %w", err)
		}
		undo = append(undo, func() error { return os.Remove(mask) })
	}
	return release, nil
}

// enabled are the links by which services of the packages start with the
// machine.
func (i Installer) enabled(names []string) []string {
	var links []string
	for _, name := range names {
		for _, kind := range []string{"wants", "requires"} {
			found, err := filepath.Glob(filepath.Join(i.Root, systemdDir, "*."+kind, name+serviceUnit))
			if err == nil {
				links = append(links, found...)
			}
		}
	}
	return links
}

// disable removes the links that were not there before.
func (i Installer) disable(names, before []string) error {
	var errs []error
	for _, link := range i.enabled(names) {
		if !slices.Contains(before, link) {
			errs = append(errs, os.Remove(link))
		}
	}
	return errors.Join(errs...)
}
