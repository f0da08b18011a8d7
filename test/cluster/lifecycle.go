// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/tars-operator/tars-operator/test/cluster/internal/build"
	"github.com/tars-operator/tars-operator/test/cluster/internal/host"
	"github.com/tars-operator/tars-operator/test/cluster/internal/node"
)

func (e env) file(name string) string { return filepath.Join(e.layout.Dir, name) }

// up brings the cluster to where everything of it is ready.
func up(e env, args []string) error {
	var trustCA string
	if _, err := flags("up", args, func(set *flag.FlagSet) {
		set.StringVar(&trustCA, "trust-ca", "", "PEM `file` of certificate authorities that Envoy's image trusts besides the system's")
	}); err != nil {
		return err
	}
	if err := preflight(e, nil); err != nil {
		return err
	}
	programs, err := e.builder.Kube()
	if err != nil {
		return err
	}
	e.layout.Programs = programs
	tars, err := e.builder.Preloaded(trustCA)
	if err != nil {
		return err
	}
	if _, ok := host.Recorded(e.file("ready")); ok {
		return e.steps([]step{{"images", func() error { return load(e, tars) }}})
	}
	// Whatever an earlier run left half done is in the way.
	if err := down(e, nil); err != nil {
		return err
	}
	return e.steps([]step{
		{"certificates and configuration", e.prepare},
		{"Kubernetes " + build.KubernetesVersion, e.startNode},
		{"apiserver", e.waitForAPIServer},
		{"images", func() error { return load(e, tars) }},
		{"DNS", e.installDNS},
		{"node and DNS ready", e.waitForNode},
		{"done", e.markReady},
	})
}

type step struct {
	title string
	do    func() error
}

func (e env) steps(all []step) error {
	begin := time.Now()
	for n, s := range all {
		from := time.Now()
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w (logs: %s)", s.title, err, e.layout.Logs())
		}
		fmt.Fprintf(os.Stderr, "cluster %s: step %d of %d: %s (%.1f s, %.1f s in all)\n", e.layout.Name, n+1, len(all),
			s.title, time.Since(from).Seconds(), time.Since(begin).Seconds())
	}
	return nil
}

func (e env) prepare() error {
	if err := os.MkdirAll(e.layout.Logs(), 0o700); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := os.WriteFile(e.file("apiserver-port"), []byte(port), 0o600); err != nil {
		return err
	}
	return errors.Join(e.layout.WriteCredentials(port), e.layout.WriteConfiguration(build.PauseImage))
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}

// startNode starts the process that holds the cluster's namespaces.
func (e env) startNode() error {
	cmd, err := e.self("internal-init")
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID}
	if _, err := host.Start(cmd, e.file("node.json"), filepath.Join(e.layout.Logs(), "node.log")); err != nil {
		return err
	}
	port, err := os.ReadFile(e.file("apiserver-port"))
	if err != nil {
		return err
	}
	return e.startForward(string(port), node.Address+":"+node.APIPort)
}

// self is this program, called again for one of its internal commands.
func (e env) self(command string, args ...string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// A copy of its own: the next build of this program must not find the
	// file busy, nor replace what runs.
	private := e.file("cluster-program")
	if _, err := os.Stat(private); err != nil {
		if err := copyProgram(path, private); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(private, append([]string{command, "--name", e.layout.Name}, args...)...)
	cmd.Env = append(os.Environ(), "TARS_CLUSTER_PROGRAMS="+e.layout.Programs)
	return cmd, nil
}

func copyProgram(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o700)
}

func runInit(e env) error {
	return node.Init(e.layout, []string{"internal-supervise", "--name", e.layout.Name})
}

func (e env) markReady() error {
	content, err := os.ReadFile(e.file("node.json"))
	if err != nil {
		return err
	}
	return os.WriteFile(e.file("ready"), content, 0o600)
}

// down ends the cluster and removes every trace of it.
func down(e env, _ []string) error {
	records, err := filepath.Glob(e.file("forward-*.json"))
	if err != nil {
		return err
	}
	for _, record := range append(records, e.file("node.json")) {
		if p, ok := host.Recorded(record); ok {
			if err := p.End(); err != nil {
				return err
			}
		}
	}
	if err := e.removeCgroups(); err != nil {
		return err
	}
	return os.RemoveAll(e.layout.Dir)
}

// removeCgroups removes the cluster's cgroups. The kernel frees the processes
// in them a moment after it killed them, so it tries for a while.
func (e env) removeCgroups() error {
	deadline := time.Now().Add(20 * time.Second)
	for _, hierarchy := range node.Hierarchies() {
		top := filepath.Join(hierarchy, e.layout.Cgroup())
		for {
			err := removeTree(top)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("removing cgroup %s: %w", top, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// removeTree removes a folder of folders, deepest first: a cgroup's own files
// can't be removed and go with it.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// nodePID is the id, on the host, of the cluster's first process.
func (e env) nodePID() (string, error) {
	p, ok := host.Recorded(e.file("node.json"))
	if !ok {
		return "", fmt.Errorf("the cluster %s does not run: start it by test/cluster/cluster up --name %s",
			e.layout.Name, e.layout.Name)
	}
	return strconv.Itoa(p.PID), nil
}
