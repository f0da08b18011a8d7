// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tars-operator/tars-operator/test/cluster/internal/forward"
)

// restartPause is how long a program that ended stays down.
const restartPause = time.Second

// administration is where Debian has programs that are not in every user's
// PATH.
const administration = ":/usr/local/sbin:/usr/sbin:/sbin"

// Init is the first process in the cluster's process namespace: it prepares
// the namespaces, starts the supervisor and reaps what is left to it.
func Init(ctx context.Context, l Layout, supervisor []string) error {
	if err := l.isolate(ctx); err != nil {
		return fmt.Errorf("preparing the cluster's namespaces: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child, err := os.StartProcess(self, append([]string{self}, supervisor...), &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Env: os.Environ(),
	})
	if err != nil {
		return fmt.Errorf("starting the supervisor: %w", err)
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("waiting for processes: %w", err)
		case pid == child.Pid:
			return fmt.Errorf("the supervisor ended: status %d", status.ExitStatus())
		}
	}
}

// Supervise starts every program, starts one that ends again, and answers the
// host's dial requests, until it is told to end.
func Supervise(ctx context.Context, l Layout) error {
	var all sync.WaitGroup
	defer all.Wait()
	for _, p := range l.programs() {
		all.Go(func() { l.keep(ctx, p) })
	}
	return forward.ServeDial(ctx, l.DialSocket(), DNSAddress)
}

func (l Layout) keep(ctx context.Context, p program) {
	for ctx.Err() == nil {
		err := l.runOnce(ctx, p)
		fmt.Fprintf(os.Stderr, "%s %s ended: %v\n", time.Now().Format(time.RFC3339), p.name, err)
		select {
		case <-ctx.Done():
		case <-time.After(restartPause):
		}
	}
}

func (l Layout) runOnce(ctx context.Context, p program) (err error) {
	log, err := os.OpenFile(l.path("logs", p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	cmd := exec.CommandContext(ctx, p.path, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = environment()
	return cmd.Run()
}

// environment is that of the node's programs: no proxy of the host's, nor
// anything else of the user who started the cluster.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH") + administration, "HOME=/root"}
}
