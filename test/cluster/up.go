// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tars-operator/tars-operator/test/cluster/internal/build"
	"github.com/tars-operator/tars-operator/test/cluster/internal/host"
	"github.com/tars-operator/tars-operator/test/cluster/internal/node"
)

// Files in the cluster's folder that this program keeps.
const (
	// nodeRecord is the process that holds the namespaces; readyRecord is a
	// copy of it, made when the cluster was ready.
	nodeRecord  = "node.json"
	readyRecord = "ready"
	// portFile holds the port of the host that leads to the apiserver.
	portFile = "apiserver-port"
	// imagesRecord lists the preloaded images' tars.
	imagesRecord = "images"
	// programFile is the copy of this program that the cluster runs.
	programFile = "cluster-program"
)

// selfFile is this very program, even if another one was built meanwhile at
// the path that it was started from.
const selfFile = "/proc/self/exe"

func (e env) file(name string) string { return filepath.Join(e.layout.Dir, name) }

func (e env) nodeLog() string { return filepath.Join(e.layout.Logs(), "node.log") }

func (e env) say(format string, args ...any) {
	_, _ = fmt.Fprintf(e.builder.Progress, format+"\n", args...)
}

// upOptions are up's flags.
type upOptions struct {
	install bool
	trustCA string
	aliases aliases
}

// up brings the cluster to where everything of it is ready.
func up(ctx context.Context, e env, args []string) error {
	o := upOptions{aliases: aliases{}}
	rest, err := parse("up", args, func(set *flag.FlagSet) {
		set.BoolVar(&o.install, "install", false, "")
		set.StringVar(&o.trustCA, "trust-ca", "", "")
		set.Var(o.aliases, "host-alias", "")
	})
	if err := none("up", rest, err); err != nil {
		return err
	}
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	var tars []string
	steps := []step{
		{"looking at this machine", func(ctx context.Context) error { return e.check(ctx, o.install) }},
		{"programs of Kubernetes " + build.KubernetesVersion, func(ctx context.Context) (err error) {
			e.layout.Programs, err = e.builder.Kube(ctx)
			return err
		}},
		{"images of Envoy, Envoy Gateway, CoreDNS", func(ctx context.Context) (err error) {
			tars, err = e.builder.Preloaded(ctx, o.trustCA)
			return err
		}},
	}
	images := step{"loading images", func(ctx context.Context) error { return e.preload(ctx, tars) }}
	ready := step{"node and DNS are ready", func(ctx context.Context) error { return e.waitForNode(ctx, o.aliases) }}
	if _, ok := host.Recorded(e.file(readyRecord)); ok {
		steps = append(steps, step{"apiserver answers", func(ctx context.Context) error {
			return errors.Join(e.keepAPIForward(ctx), e.waitForAPIServer(ctx))
		}}, images, ready)
	} else {
		steps = append(steps,
			step{"certificates and configuration", e.prepare},
			// Not e.startNode: where the programs are is known only by then.
			step{"etcd, apiserver, kubelet", func(ctx context.Context) error { return e.startNode(ctx) }},
			step{"apiserver answers", e.waitForAPIServer}, images, step{"DNS", e.installDNS}, ready)
	}
	if err := e.steps(ctx, steps); err != nil {
		return err
	}
	if err := copyFile(e.file(nodeRecord), e.file(readyRecord), 0o600); err != nil {
		return err
	}
	e.say("cluster %s is up; export KUBECONFIG=%s", e.layout.Name, e.layout.Kubeconfig())
	return nil
}

// lock keeps two runs from building or removing one cluster at once.
func (e env) lock(ctx context.Context) (unlock func(), err error) {
	return build.Lock(ctx, filepath.Join(e.builder.Cache, ".cluster-"+e.layout.Name+".lock"), func() {
		e.say("another process brings cluster %s up or down; waiting ...", e.layout.Name)
	})
}

// step is one of several that are counted to the user.
type step struct {
	title string
	do    func(ctx context.Context) error
}

func (e env) steps(ctx context.Context, all []step) error {
	begin := time.Now()
	for n, s := range all {
		e.say("cluster %s: step %d of %d: %s (at %.1f s)", e.layout.Name, n+1, len(all), s.title, time.Since(begin).Seconds())
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("step %d of %d: %s: %w%s", n+1, len(all), s.title, err, e.whereLogsAre())
		}
	}
	e.say("cluster %s: done in %.1f s", e.layout.Name, time.Since(begin).Seconds())
	return nil
}

func (e env) whereLogsAre() string {
	if _, err := os.Stat(e.layout.Logs()); err != nil {
		return ""
	}
	return "\n(logs are in " + e.layout.Logs() + ")"
}

// prepare makes the files of a new cluster; whatever an earlier run left half
// done is in the way.
func (e env) prepare(ctx context.Context) error {
	if err := e.remove(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(e.layout.Logs(), 0o700); err != nil {
		return err
	}
	// A copy: the next build of this program must not replace what runs.
	return errors.Join(copyFile(selfFile, e.file(programFile), 0o700), e.layout.WriteConfiguration(build.PauseImage))
}

// startNode starts the process that holds the cluster's namespaces, and the
// one that leads to its apiserver.
func (e env) startNode(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("looking for a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return err
	}
	if err := os.WriteFile(e.file(portFile), []byte(port), 0o600); err != nil {
		return err
	}
	if err := e.layout.WriteCredentials(port); err != nil {
		return err
	}
	cmd := e.self("internal-init")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID}
	if _, err := host.Start(cmd, e.file(nodeRecord), e.nodeLog()); err != nil {
		return err
	}
	return e.startForward(listener, apiTarget())
}

// apiTarget is the apiserver, as seen from inside.
func apiTarget() string { return net.JoinHostPort(node.Address, node.APIPort) }

// keepAPIForward starts the process that leads to the apiserver again, at the
// port that kubeconfigs name, if it was killed.
func (e env) keepAPIForward(ctx context.Context) error {
	port, err := os.ReadFile(e.file(portFile))
	if err != nil {
		return fmt.Errorf("looking for the apiserver's port: %w", err)
	}
	if _, ok := host.Recorded(e.forwardRecord(string(port))); ok {
		return nil
	}
	return addForward(ctx, e, []string{string(port), apiTarget()})
}

// self is this program, called again for one of its internal commands; it is
// to outlive this call.
func (e env) self(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(e.file(programFile), append([]string{name, "--name", e.layout.Name}, args...)...)
	cmd.Env = append(os.Environ(),
		"TARS_OPERATOR_ROOT="+e.builder.Root, "TARS_OPERATOR_CACHE="+e.builder.Cache, "TARS_CLUSTER_PROGRAMS="+e.layout.Programs)
	return cmd
}

func runInit(ctx context.Context, e env, _ []string) error {
	return node.Init(ctx, e.layout, []string{"internal-supervise", "--name", e.layout.Name})
}

func runSupervise(ctx context.Context, e env, _ []string) error { return node.Supervise(ctx, e.layout) }

// preload loads those image tars that this cluster does not have yet. Their
// paths say what is in them.
func (e env) preload(ctx context.Context, tars []string) error {
	content, err := os.ReadFile(e.file(imagesRecord))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	loaded := strings.Fields(string(content))
	for _, tar := range tars {
		if slices.Contains(loaded, tar) {
			continue
		}
		if err := e.load(ctx, tar); err != nil {
			return err
		}
	}
	return os.WriteFile(e.file(imagesRecord), []byte(strings.Join(tars, "\n")+"\n"), 0o600)
}

func copyFile(from, to string, mode os.FileMode) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, mode)
}
