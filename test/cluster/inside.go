// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tars-operator/tars-operator/test/cluster/internal/forward"
	"github.com/tars-operator/tars-operator/test/cluster/internal/host"
)

// load imports image tars into the node's containerd.
func load(e env, args []string) error {
	if len(args) == 0 {
		return errors.New("load takes image tars")
	}
	pid, err := e.nodePID()
	if err != nil {
		return err
	}
	for _, tar := range args {
		file, err := os.Open(tar)
		if err != nil {
			return err
		}
		cmd := exec.Command("nsenter", "--target", pid, "--mount", "--net", "--pid",
			"ctr", "--namespace", "k8s.io", "images", "import", "-")
		cmd.Stdin = file
		out, err := cmd.CombinedOutput()
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("importing %s: %w: %s", tar, err, out)
		}
	}
	return nil
}

// execInside runs a command in the cluster's network, with the host's files.
func execInside(e env, args []string) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return errors.New("exec takes a command")
	}
	pid, err := e.nodePID()
	if err != nil {
		return err
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	return syscall.Exec(nsenter, append([]string{"nsenter", "--target", pid, "--net"}, args...), os.Environ())
}

// addForward makes a port of the host's loopback lead into the cluster.
func addForward(e env, args []string) error {
	if len(args) != 2 {
		return errors.New("forward takes a local port and a target (host:port)")
	}
	if _, err := e.nodePID(); err != nil {
		return err
	}
	if p, ok := host.Recorded(e.forwardRecord(args[0])); ok {
		if err := p.End(); err != nil {
			return err
		}
	}
	if err := e.startForward(args[0], args[1]); err != nil {
		return err
	}
	return waitFor("port "+args[0], 5*time.Second, func() error {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+args[0], time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func (e env) forwardRecord(port string) string { return e.file("forward-" + port + ".json") }

func (e env) startForward(port, target string) error {
	cmd, err := e.self("internal-forward", port, target)
	if err != nil {
		return err
	}
	_, err = host.Start(cmd, e.forwardRecord(port), filepath.Join(e.layout.Logs(), "forward-"+port+".log"))
	return err
}

func runForward(e env, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return forward.Listen(ctx, "127.0.0.1:"+args[0], e.layout.DialSocket(), args[1])
}

// waitFor tries until it succeeds, at most for a time.
func waitFor(what string, limit time.Duration, try func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waiting %s for %s: %w", limit, what, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
