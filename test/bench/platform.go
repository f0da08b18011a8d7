// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// platform is what figures are of.
type platform struct {
	// Date is the day of the first figure.
	Date string `json:"date"`
	// Commit is the tree's, with -dirty after it if files had changed; Binary the
	// SHA-256 of the operator's program, Before that of the other build.
	Commit string `json:"commit"`
	Binary string `json:"binary"`
	Before string `json:"before,omitempty"`
	// Bench is the SHA-256 of this program: the load, the stand-in, Envoy's configuration.
	Bench  string `json:"bench"`
	Go     string `json:"go"`
	Envoy  string `json:"envoy"`
	Cores  int    `json:"cores"`
	System string `json:"system"`
	// Window is how long a measurement took.
	Window string `json:"window"`
}

func thisPlatform(ctx context.Context, p *plan) (platform, error) {
	made := platform{
		Date: time.Now().Format(time.DateOnly), Go: runtime.Version(), Cores: runtime.NumCPU(),
		System: runtime.GOOS + "/" + runtime.GOARCH, Window: p.window.measure.String(),
	}
	var err error
	if made.Commit, err = output(ctx, p.root, "git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"); err != nil {
		return made, err
	}
	if made.Binary, err = digest(p.binaries[ours]); err != nil {
		return made, err
	}
	program, err := os.Executable()
	if err != nil {
		return made, fmt.Errorf("finding this program: %w", err)
	}
	if made.Bench, err = digest(program); err != nil {
		return made, err
	}
	if p.binaries[before] != "" {
		if made.Before, err = digest(p.binaries[before]); err != nil {
			return made, err
		}
	}
	envoy := os.Getenv("TARS_TEST_ENVOY")
	if envoy == "" {
		if envoy, err = output(ctx, p.root, filepath.Join(p.root, "test", "cluster", "cluster"), "tool", "envoy"); err != nil {
			return made, err
		}
	}
	text, err := output(ctx, p.root, envoy, "--version")
	made.Envoy = regexp.MustCompile(`\d+\.\d+\.\d+`).FindString(text)
	return made, err
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("running %s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

func digest(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading a binary: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), nil
}
