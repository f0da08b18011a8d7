// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/tars-operator/tars-operator/test/cluster/internal/cgroup"
	"github.com/tars-operator/tars-operator/test/cluster/internal/forward"
	"github.com/tars-operator/tars-operator/test/cluster/internal/host"
)

// load imports image tars into the node's containerd.
func load(ctx context.Context, e env, args []string) error {
	if len(args) == 0 {
		return errors.New("load takes image tars")
	}
	for _, tar := range args {
		if err := e.load(ctx, tar); err != nil {
			return err
		}
	}
	return nil
}

func (e env) load(ctx context.Context, tar string) (err error) {
	pid, err := e.nodePID()
	if err != nil {
		return err
	}
	file, err := os.Open(tar)
	if err != nil {
		return fmt.Errorf("opening an image: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	cmd := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(pid), "--mount", "--net", "--pid",
		"ctr", "--namespace", "k8s.io", "images", "import", "-")
	cmd.Stdin = file
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("importing %s: %w: %s", tar, err, out)
	}
	return nil
}

// execInside runs a command in the cluster's network, with the host's files.
// It ends with the cluster.
func execInside(_ context.Context, e env, args []string) error {
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
	if err := e.joinCgroup(); err != nil {
		return err
	}
	arguments := append([]string{"nsenter", "--target", strconv.Itoa(pid), "--net", "--"}, args...)
	return syscall.Exec(nsenter, arguments, os.Environ())
}

// joinCgroup lets down find this process.
func (e env) joinCgroup() error {
	tree, err := cgroup.Open(e.layout.Cgroup())
	if err != nil {
		return err
	}
	return errors.Join(tree.Create(), tree.Join(cgroup.Host, os.Getpid()))
}

// addForward makes a port of the host's loopback lead into the cluster.
func addForward(ctx context.Context, e env, args []string) error {
	if len(args) != 2 {
		return errors.New("forward takes a local port and a target (host:port)")
	}
	port, target := args[0], args[1]
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q is no port", port)
	}
	if _, _, err := net.SplitHostPort(target); err != nil {
		return fmt.Errorf("%q is no target of the form host:port", target)
	}
	if _, err := e.nodePID(); err != nil {
		return err
	}
	if p, ok := host.Recorded(e.forwardRecord(port)); ok {
		if err := p.End(ctx); err != nil {
			return err
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return fmt.Errorf("listening at port %s of this machine: %w", port, err)
	}
	return e.startForward(listener, target)
}

func (e env) forwardRecord(port string) string { return e.file("forward-" + port + ".json") }

// startForward serves a listener of the host's loopback.
func (e env) startForward(listener net.Listener, target string) error {
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return err
	}
	return e.handOver(listener, handover{
		command: "internal-forward", target: target, record: e.forwardRecord(port), log: "forward-" + port + ".log",
	})
}

// handover is how a process of its own serves a listener.
type handover struct {
	// command is one that the program calls itself by, with the target.
	command, target string
	// record is the file that remembers the process; log is a name.
	record, log string
}

// handOver starts a process that takes a listener over.
func (e env) handOver(listener net.Listener, h handover) (err error) {
	defer func() { err = errors.Join(err, listener.Close()) }()
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("%s is no TCP address", listener.Addr())
	}
	file, err := tcp.File()
	if err != nil {
		return fmt.Errorf("handing over %s: %w", listener.Addr(), err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	cmd := e.self(h.command, h.target)
	cmd.ExtraFiles = []*os.File{file}
	_, err = host.Start(cmd, h.record, filepath.Join(e.layout.Logs(), h.log))
	return err
}

// takeOver is the other end of handOver.
func (e env) takeOver(serve func(net.Listener) error) error {
	if err := e.joinCgroup(); err != nil {
		return err
	}
	file := os.NewFile(3, "listener")
	listener, err := net.FileListener(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("taking over the listener: %w", err)
	}
	return serve(listener)
}

// runForward serves the listener that it was started with.
func runForward(ctx context.Context, e env, args []string) error {
	return e.takeOver(func(listener net.Listener) error {
		return forward.Serve(ctx, listener, e.layout.DialSocket(), args[0])
	})
}
