// SPDX-License-Identifier: Apache-2.0

// Package build makes the cluster's programs once, from pinned modules, and
// keeps them in the cache.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockInterval is how often a process looks whether another one, which builds
// the same, is done.
const lockInterval = 500 * time.Millisecond

// Builder makes components.
type Builder struct {
	// Root is the checkout's top folder.
	Root string
	// Cache is the folder that holds what was built.
	Cache string
	// Progress is where progress is shown.
	Progress io.Writer

	// reportEvery is how often a long step shows that it goes on; 0: as often
	// as reportInterval says.
	reportEvery time.Duration
}

// part is one step of making a component.
type part struct {
	title string
	do    func(ctx context.Context, dir string) error
}

// component is something that the cache holds in a folder of its own.
type component struct {
	name string
	// key is all that the content depends on, apart from Go's version.
	key   string
	parts []part
}

// make fills a new folder of the cache, unless an equal one is there, and
// returns it. Two processes may ask for the same at once: one builds.
func (b Builder) make(ctx context.Context, c component) (string, error) {
	sum := sha256.Sum256([]byte(runtime.Version() + runtime.GOARCH + "\n" + c.key))
	dir := filepath.Join(b.Cache, c.name+"-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	unlock, err := Lock(ctx, filepath.Join(b.Cache, "."+c.name+".lock"), func() {
		b.say("%s: another process builds it; waiting ...", c.name)
	})
	if err != nil {
		return "", fmt.Errorf("building %s: %w", c.name, err)
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := b.fill(ctx, c, dir); err != nil {
		return "", fmt.Errorf("building %s: %w", c.name, err)
	}
	return dir, nil
}

func (b Builder) fill(ctx context.Context, c component, dir string) error {
	begin := time.Now()
	unfinished := filepath.Join(b.Cache, c.name+"-unfinished")
	// A killed build left it: nobody else is here, we hold the lock.
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.Mkdir(unfinished, 0o755); err != nil {
		return err
	}
	for n, p := range c.parts {
		b.say("%s: step %d of %d: %s (at %.0f s) ...", c.name, n+1, len(c.parts), p.title, time.Since(begin).Seconds())
		if err := p.do(ctx, unfinished); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", p.title, err), os.RemoveAll(unfinished))
		}
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return err
	}
	b.say("%s: built in %.0f s; it is kept in the cache", c.name, time.Since(begin).Seconds())
	return nil
}

// Lock takes a lock that no other process has, and creates its file and folder
// if needed. waiting is called once when another process has it.
func Lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a lock: %w", err)
	}
	release := func() { _ = file.Close() } //nolint:errcheck // nothing was written
	ticker := time.NewTicker(lockInterval)
	defer ticker.Stop()
	for waited := false; ; waited = true {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return release, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			release()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !waited {
			waiting()
		}
		select {
		case <-ctx.Done():
			release()
			return nil, fmt.Errorf("waiting for the lock %s: %w", path, ctx.Err())
		case <-ticker.C:
		}
	}
}

func (b Builder) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.Progress, format+"\n", args...)
}

// sources is the content of all files of some folders, apart from tests: what
// the cache key of a component is made of.
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
			fmt.Fprintf(&all, "%s %d\n%s\n", entry.Name(), len(content), content)
			return nil
		})
		if err != nil {
			return "", fmt.Errorf("reading the sources in %s: %w", dir, err)
		}
	}
	return all.String(), nil
}

// Warm tells whether the biggest part was built before.
func (b Builder) Warm() bool {
	found, err := filepath.Glob(filepath.Join(b.Cache, "kube-*", "kube"))
	return err == nil && len(found) > 0
}
