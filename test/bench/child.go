// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"

	"github.com/tars-operator/tars-operator/extproc"
	"github.com/tars-operator/tars-operator/test/tarsfake/keys"
	"github.com/tars-operator/tars-operator/test/tarsfake/server"
)

// addresses are what a child process prints once it serves.
type addresses struct{ GRPC, HTTP, Admin string }

func listenLocal() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

func announce(a addresses) error { return json.NewEncoder(os.Stdout).Encode(a) }

// child is a process that is a part of this program.
type child struct {
	addresses

	cmd *exec.Cmd
}

// startChild runs this program as one of its parts. It ends with the context.
func startChild(ctx context.Context, part string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	c := &child{cmd: exec.CommandContext(ctx, self, part)}
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", part, err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", part, err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &c.addresses)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not tell its addresses: %w", part, err), c.Kill())
	}
	return c, nil
}

// Kill ends the process.
func (c *child) Kill() error {
	if err := c.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("ending a child process: %w", err)
	}
	var killed *exec.ExitError
	if err := c.cmd.Wait(); !errors.As(err, &killed) {
		return err
	}
	return nil
}

// standInKey is what Envoy puts on requests.
const standInKey = "sk-bench"

// serveStandIn is the process of the stand-in for TARS.
func serveStandIn(ctx context.Context) error {
	ring := &keys.Ring{}
	if _, err := ring.Add(standInKey, nil); err != nil {
		return fmt.Errorf("adding the key: %w", err)
	}
	s, err := server.Start(server.Options{Keys: ring, Lean: true})
	if err != nil {
		return err
	}
	if err := announce(addresses{HTTP: strings.TrimPrefix(s.URL(), "http://"), Admin: s.AdminURL()}); err != nil {
		return err
	}
	<-ctx.Done()
	return s.Close()
}

// profileVariable names the file that profiledExtproc writes.
const profileVariable = "BENCH_CPU_PROFILE"

// profiledExtproc is ours in this program, with a CPU profile.
func profiledExtproc(ctx context.Context, args []string) (err error) {
	file, err := os.Create(os.Getenv(profileVariable))
	if err != nil {
		return fmt.Errorf("creating the file of $%s: %w", profileVariable, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return fmt.Errorf("profiling: %w", err)
	}
	defer pprof.StopCPUProfile()
	return extproc.Run(ctx, args, extproc.Process{Stderr: os.Stderr})
}
