// SPDX-License-Identifier: Apache-2.0

// Command cluster makes and removes a real single-node Kubernetes on a Linux
// machine, from package registries alone. README.md in this folder tells how.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/tars-operator/tars-operator/test/cluster/internal/build"
	"github.com/tars-operator/tars-operator/test/cluster/internal/node"
)

const usage = `usage: test/cluster/cluster <command>

  preflight [--install]       what this machine lacks (--install: apt-get install it)
  up [--trust-ca FILE]        a running cluster; again: the same one
  down                        end it and remove all of it
  status                      what runs, and the versions of it
  kubeconfig                  print the path of its kubeconfig
  tool NAME                   build if needed and print the path of: kube (a folder),
                              kubectl, helm, envoy, envoy-gateway, gateway-chart
  image --ref REPO:TAG --binary FILE --out TAR [--entrypoint PATH]
                              write an image of one static binary
  load TAR...                 bring images into the cluster
  gateway [--no-backend-api]  install Envoy Gateway and the GatewayClass eg
  forward LOCAL TARGET        127.0.0.1:LOCAL leads to TARGET (host:port) in the cluster
  exec COMMAND...             run a command in the cluster's network

Every command takes --name NAME (default demo) before its other arguments:
clusters of different names live beside each other.
`

// env is what every command works with.
type env struct {
	layout  node.Layout
	builder build.Builder
}

// commands, apart from the two that the program calls itself by.
var commands = map[string]func(env, []string) error{
	"preflight": preflight, "up": up, "down": down, "status": status, "kubeconfig": kubeconfig, "tool": tool,
	"image": writeImage, "load": load, "gateway": gateway, "forward": addForward, "exec": execInside,
	"internal-init":      func(e env, _ []string) error { return runInit(e) },
	"internal-supervise": func(e env, _ []string) error { return node.Supervise(e.layout) },
	"internal-forward":   runForward,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		_, err := fmt.Fprint(os.Stderr, usage)
		return err
	}
	command, ok := commands[args[0]]
	if !ok {
		return fmt.Errorf("there is no command %q\n%s", args[0], usage)
	}
	name, rest, err := clusterName(args[1:])
	if err != nil {
		return err
	}
	e, err := newEnv(name)
	if err != nil {
		return err
	}
	return command(e, rest)
}

// clusterName takes --name NAME off the front of the arguments.
func clusterName(args []string) (name string, rest []string, err error) {
	if len(args) < 2 || args[0] != "--name" {
		return "demo", args, nil
	}
	if filepath.Base(args[1]) != args[1] || args[1] == "" || args[1][0] == '.' {
		return "", nil, fmt.Errorf("%q is no name for a cluster: use letters and digits", args[1])
	}
	return args[1], args[2:], nil
}

func newEnv(name string) (env, error) {
	root, cache := os.Getenv("TARS_OPERATOR_ROOT"), os.Getenv("TARS_OPERATOR_CACHE")
	if root == "" || cache == "" {
		return env{}, errors.New("run this program by the script test/cluster/cluster")
	}
	return env{
		layout:  node.Layout{Name: name, Dir: filepath.Join(cache, "clusters", name), Programs: os.Getenv("TARS_CLUSTER_PROGRAMS")},
		builder: build.Builder{Root: root, Cache: cache, Progress: os.Stderr},
	}, nil
}

// flags parses a command's own flags.
func flags(name string, args []string, define func(*flag.FlagSet)) ([]string, error) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	define(set)
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	return set.Args(), nil
}
