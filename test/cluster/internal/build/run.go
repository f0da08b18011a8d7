// SPDX-License-Identifier: Apache-2.0

package build

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// reportInterval is how often a long step shows that it goes on.
	reportInterval = 15 * time.Second
	// errorLines are shown of a failed command's output: its end says why.
	errorLines = 40
	// stopTimeout is how long a command may take to end when it is told to.
	stopTimeout = 10 * time.Second
)

// command is a build step's program.
type command struct {
	dir  string
	env  []string
	args []string
	// watch sees every line of the standard error output.
	watch func(line string)
}

// run runs a command and returns its standard output. When it fails, the end
// of all it said is in the error.
func run(ctx context.Context, c command) (string, error) {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	var stdout bytes.Buffer
	stderr := &lines{watch: c.watch}
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(c.args, " "), err, lastLines(stdout.String()+stderr.all.String()))
	}
	return stdout.String(), nil
}

func lastLines(text string) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-errorLines):], "\n")
}

// lines is a writer that cuts what it gets into lines.
type lines struct {
	all   bytes.Buffer
	rest  string
	watch func(line string)
}

func (l *lines) Write(p []byte) (int, error) {
	l.all.Write(p)
	if l.watch != nil {
		l.rest += string(p)
		for {
			line, rest, found := strings.Cut(l.rest, "\n")
			if !found {
				break
			}
			l.rest = rest
			l.watch(line)
		}
	}
	return len(p), nil
}

// program is one that Go builds from a nested module.
type program struct {
	// module is the folder of the module, below the checkout.
	module string
	pkg    string
	output string
	// ldflags are added to those that leave out debugging information.
	ldflags string
	// tags are build tags, with commas.
	tags string
}

// goParts are the parts of building a static program: fetching takes the
// network, compiling the processor.
func (b Builder) goParts(p program) []part {
	count := 0
	return []part{
		{"fetching modules", func(ctx context.Context, _ string) error {
			report := b.report(ctx, p.output, "modules fetched", 0)
			defer report.stop()
			out, err := run(ctx, command{
				dir: filepath.Join(b.Root, p.module), env: goEnv(),
				args: []string{"go", "list", "-deps", "-tags", p.tags, p.pkg},
				watch: func(line string) {
					if strings.HasPrefix(line, "go: downloading ") {
						report.add()
					}
				},
			})
			count = strings.Count(out, "\n")
			return err
		}},
		{"compiling", func(ctx context.Context, dir string) error {
			report := b.report(ctx, p.output, "packages compiled, to be linked then,", count)
			defer report.stop()
			_, err := run(ctx, command{
				dir: filepath.Join(b.Root, p.module), env: goEnv(),
				args: []string{
					"go", "build", "-v", "-trimpath", "-tags", p.tags, "-ldflags", "-s -w" + p.ldflags,
					"-o", filepath.Join(dir, p.output), p.pkg,
				},
				watch: func(string) { report.add() },
			})
			return err
		}},
	}
}

// goEnv makes builds independent of what the user has set for other projects.
func goEnv() []string {
	return []string{"CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off", "GOOS=linux"}
}

// report shows now and then how far a long step is.
type report struct {
	stop func()

	mu   sync.Mutex
	done int
}

func (r *report) add() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
}

// report starts to count to a total; 0: it is not known.
func (b Builder) report(ctx context.Context, name, what string, total int) *report {
	ctx, cancel := context.WithCancel(ctx)
	r := &report{stop: cancel}
	begin := time.Now()
	go func() {
		ticker := time.NewTicker(cmp.Or(b.reportEvery, reportInterval))
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			r.mu.Lock()
			done := fmt.Sprint(r.done)
			r.mu.Unlock()
			if total > 0 {
				done += fmt.Sprintf(" of at most %d", total)
			}
			b.say("%s:   %s %s after %.0f s", name, done, what, time.Since(begin).Seconds())
		}
	}()
	return r
}
