// SPDX-License-Identifier: Apache-2.0

// Command cluster makes and removes a real single-node Kubernetes on a Linux
// machine, from package registries alone. README.md in this folder tells how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/tars-operator/tars-operator/test/cluster/internal/build"
	"github.com/tars-operator/tars-operator/test/cluster/internal/node"
)

const usage = `A real single-node Kubernetes with Envoy Gateway, from package registries alone.

usage: test/cluster/cluster COMMAND [--name NAME] [FLAGS] [ARGUMENTS]

the cluster (root)
  preflight [--install]     say all that this machine lacks, in 2 s, and change nothing
                            (--install: apt-get install what is missing, first)
      --egress HOST:PORT    whether this machine has a way to it, too
  up                        a running cluster; again: the same one, or what a killed
                            run left half done from the start
      --install             as for preflight
      --trust-ca FILE       PEM file of authorities that Envoy trusts as system ones
      --host-alias NAME=IP  a name for the cluster's DNS (as often as you like)
  gateway                   install Envoy Gateway, and a GatewayClass eg whose Gateways
                            have a cluster IP
      --no-backend-api      leave its Backend API off
  status                    what runs, and the versions of it
  down [--verify]           end it and remove all of it; works after any crash
                            (--verify: then list what is left, and fail if anything is)

working with it
  kubeconfig                print the path of its kubeconfig, for use on this machine
  tool NAME                 print the path of a program; built once, without root:
                            kubectl, helm, envoy, envoy-gateway, coredns,
                            prometheus, promtool, otelcol, helm4,
                            kube (the folder of etcd, kube-apiserver, kubectl, ...),
                            gateway-chart (the folder of Envoy Gateway's Helm chart)
  image --ref REPO:TAG --binary FILE --out TAR
                            write an image of one static binary, run as user 65532
      --entrypoint PATH     where it is in the image (default: / and its name)
      --file PATH=FILE      a further file (as often as you like)
  load TAR...               bring image tars into the cluster
  forward PORT TARGET       127.0.0.1:PORT leads to TARGET, host:port as seen from inside
                            (10.96.0.1:443, web.default.svc.cluster.local:80)
  egress HOST:PORT          let pods reach this one port of this one host outside, by its
                            name, through HTTPS_PROXY where that is set
      --via ADDRESS:PORT    what is dialled instead of HOST:PORT
  alias NAME=IP...          names for the cluster's DNS; NAME= takes one away
  exec COMMAND...           run a command of this machine in the cluster's network

Clusters of different names (default: demo) live beside each other. Everything that
is built, and the clusters' files, are in $TARS_OPERATOR_CACHE (default:
$XDG_CACHE_HOME/tars-operator or ~/.cache/tars-operator).

  test/cluster/cluster up && test/cluster/cluster gateway
  export KUBECONFIG=$(test/cluster/cluster kubeconfig)
  export PATH=$(test/cluster/cluster tool kube):$PATH
  kubectl get nodes
`

// env is what every command works with.
type env struct {
	layout  node.Layout
	builder build.Builder
	// out is for what was asked for; progress goes elsewhere.
	out io.Writer
}

type command func(ctx context.Context, e env, args []string) error

// commands, and those that the program calls itself by.
func commands() map[string]command {
	return map[string]command{
		"preflight": preflightCommand, "up": up, "down": down, "status": status, "kubeconfig": kubeconfig, "tool": tool,
		"image": writeImage, "load": load, "gateway": gateway, "forward": addForward, "alias": alias, "egress": egress,
		"exec":          execInside,
		"internal-init": runInit, "internal-supervise": runSupervise, "internal-forward": runForward, "internal-egress": runEgress,
		"internal-probe": runProbe,
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil:
		return
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "interrupted: run the same command again to go on; down removes what is there")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		_, err := fmt.Fprint(os.Stdout, usage)
		return err
	}
	do, ok := commands()[args[0]]
	if !ok {
		return fmt.Errorf("there is no command %q; see test/cluster/cluster help", args[0])
	}
	name, rest, err := clusterName(args[0], args[1:])
	if err != nil {
		return err
	}
	e, err := newEnv(name)
	if err != nil {
		return err
	}
	err = do(ctx, e, rest)
	if errors.Is(err, flag.ErrHelp) {
		_, err = fmt.Fprint(os.Stdout, usage)
	}
	return err
}

// namePattern is that of names which can be a part of a cgroup's, a context's
// and a file's.
var namePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`)

// clusterName takes --name NAME out of the arguments of a command. What
// follows exec is another program's.
func clusterName(command string, args []string) (name string, rest []string, err error) {
	name = "demo"
	for len(args) > 0 {
		value, found := strings.CutPrefix(args[0], "--name=")
		switch {
		case found:
			name, args = value, args[1:]
		case args[0] == "--name":
			if len(args) < 2 {
				return "", nil, errors.New("--name takes a name")
			}
			name, args = args[1], args[2:]
		case command == "exec":
			return name, append(rest, args...), checkName(name)
		default:
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	return name, rest, checkName(name)
}

func checkName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("%q is no name for a cluster: use at most 32 lower-case letters, digits and -", name)
	}
	return nil
}

// maxSocketPath is how long the path of a Unix socket may be.
const maxSocketPath = 107

func newEnv(name string) (env, error) {
	root, err := findRoot()
	if err != nil {
		return env{}, err
	}
	cache, err := findCache()
	if err != nil {
		return env{}, err
	}
	layout := node.Layout{Name: name, Dir: filepath.Join(cache, "clusters", name), Programs: os.Getenv("TARS_CLUSTER_PROGRAMS")}
	if len(layout.DialSocket()) > maxSocketPath {
		return env{}, fmt.Errorf("%s is too long a path for the cluster's files: let TARS_OPERATOR_CACHE name a shorter one", cache)
	}
	return env{layout: layout, builder: build.Builder{Root: root, Cache: cache, Progress: os.Stderr}, out: os.Stdout}, nil
}

// moduleLine is the first of the checkout's go.mod.
const moduleLine = "module github.com/tars-operator/tars-operator\n"

// findRoot is the checkout's top folder: where the script says, or above here.
func findRoot() (string, error) {
	if root := os.Getenv("TARS_OPERATOR_ROOT"); root != "" {
		return root, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the checkout: %w", err)
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(content), moduleLine) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("this is not the project's folder: run the script test/cluster/cluster")
		}
	}
}

func findCache() (string, error) {
	cache := os.Getenv("TARS_OPERATOR_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("looking for a cache (set TARS_OPERATOR_CACHE): %w", err)
		}
		cache = filepath.Join(dir, "tars-operator")
	}
	cache, err := filepath.Abs(cache)
	if err != nil {
		return "", fmt.Errorf("looking for the cache: %w", err)
	}
	// The kernel knows files by what links lead to.
	if target, err := filepath.EvalSymlinks(cache); err == nil {
		return target, nil
	}
	return cache, nil
}

// parse parses a command's own flags and returns its arguments.
func parse(name string, args []string, define func(*flag.FlagSet)) ([]string, error) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	define(set)
	if err := set.Parse(args); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return set.Args(), nil
}

// none refuses arguments where a command takes none.
func none(name string, args []string, err error) error {
	if err == nil && len(args) > 0 {
		return fmt.Errorf("%s takes no argument %q", name, args[0])
	}
	return err
}
