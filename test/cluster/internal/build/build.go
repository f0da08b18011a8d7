// SPDX-License-Identifier: Apache-2.0

// Package build makes the cluster's programs once, from pinned modules, and
// keeps them in the cache.
package build

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Builder makes components.
type Builder struct {
	// Root is the checkout's top folder.
	Root string
	// Cache is the folder that holds what was built.
	Cache string
	// Progress is where progress and the output of failed steps go.
	Progress io.Writer
}

// make fills a new folder of the cache, unless an equal one is there, and
// returns it. Two processes may ask for the same at once: one builds.
func (b Builder) make(name, key string, fill func(dir string) error) (string, error) {
	sum := sha256.Sum256([]byte(runtime.Version() + runtime.GOARCH + "\n" + key))
	dir := filepath.Join(b.Cache, name+"-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	unlock, err := b.lock(name)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	begin := time.Now()
	b.say("building %s (once; then cached) ...", name)
	scratch, err := os.MkdirTemp(b.Cache, name+"-unfinished-")
	if err != nil {
		return "", fmt.Errorf("making a folder for %s: %w", name, err)
	}
	if err := fill(scratch); err != nil {
		return "", errors.Join(fmt.Errorf("building %s: %w", name, err), os.RemoveAll(scratch))
	}
	if err := os.Chmod(scratch, 0o755); err != nil {
		return "", fmt.Errorf("opening the folder of %s: %w", name, err)
	}
	if err := os.Rename(scratch, dir); err != nil {
		return "", fmt.Errorf("keeping %s: %w", name, err)
	}
	b.say("built %s in %.0f s", name, time.Since(begin).Seconds())
	return dir, nil
}

func (b Builder) lock(name string) (unlock func(), err error) {
	if err := os.MkdirAll(b.Cache, 0o755); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(b.Cache, "."+name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of %s: %w", name, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", name, err), file.Close())
	}
	return func() {
		if err := file.Close(); err != nil {
			b.say("unlocking %s: %v", name, err)
		}
	}, nil
}

func (b Builder) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.Progress, format+"\n", args...)
}

// run runs a build step in a folder; its output is shown when it fails.
func (b Builder) run(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// goBuild builds a package of a module below the checkout as a static binary.
func (b Builder) goBuild(module, output, pkg, ldflags string) error {
	_, err := b.run(filepath.Join(b.Root, module), []string{"CGO_ENABLED=0", "GOFLAGS=-mod=readonly"},
		"go", "build", "-trimpath", "-ldflags", "-s -w "+ldflags, "-o", output, pkg)
	return err
}

// sources is the content of the Go files and module files right in a folder:
// what a component's cache key is made of.
func (b Builder) sources(dirs ...string) (string, error) {
	var all strings.Builder
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join(b.Root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all.WriteString(entry.Name() + "\n" + string(content) + "\n")
			return nil
		})
		if err != nil {
			return "", fmt.Errorf("reading the sources in %s: %w", dir, err)
		}
	}
	return all.String(), nil
}
