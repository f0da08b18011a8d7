// SPDX-License-Identifier: Apache-2.0

// Package selftest is the command "tars-operator selftest", which helm test
// runs: it proves that an installed operator works. It runs as the manager's own
// ServiceAccount, so that it needs no right that the manager lacks, and its
// answer about rights is the manager's.
package selftest

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/tars-operator/tars-operator/controllers/cli"
	"github.com/tars-operator/tars-operator/controllers/manager"
)

const description = `Proves that an installed operator works: the CRD is served and is that of this
version, the manager may do all that it has to, and a manager holds the Lease and
renews it. Changes nothing. Run it as the manager's ServiceAccount, as helm test
does. The exit code is 0 where everything is well.
`

// defaultTimeout bounds all checks together; a manager that starts beside them
// takes the Lease of one that was lost within 15 seconds.
const defaultTimeout = time.Minute

// pollInterval is how often the API server is asked again.
const pollInterval = time.Second

// Process is what the command has of its process.
type Process struct {
	// Stdout takes a line for each check, Stderr help.
	Stdout, Stderr io.Writer
}

type options struct {
	namespaces []string
	// lease is the Lease's namespace; empty where no Lease is held.
	lease   string
	timeout time.Duration
}

// check proves one thing. It says what it saw, or why it is not so and what to
// do.
type check struct {
	name string
	run  func(context.Context, client.Client, options) (seen string, err error)
}

// Run makes all checks and prints a line for each. The error says how many
// failed; it wraps cli.ErrUsage after a wrong call.
func Run(ctx context.Context, args []string, p Process) error {
	o, err := parse(args, p)
	if err != nil {
		return err
	}
	log.SetLogger(zap.New(zap.WriteTo(p.Stderr)))
	api, err := connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	checks := []check{{"CRD", checkCRD}, {"permissions", checkPermissions}, {"leader", checkLeader}}
	var failed int
	for _, c := range checks {
		seen, err := c.run(ctx, api, o)
		line := fmt.Sprintf("ok      %s: %s\n", c.name, seen)
		if err != nil {
			failed++
			line = fmt.Sprintf("FAILED  %s: %s\n", c.name, err)
		}
		if _, err := io.WriteString(p.Stdout, line); err != nil {
			return fmt.Errorf("printing the result: %w", err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(checks))
	}
	return nil
}

func parse(args []string, p Process) (options, error) {
	o := options{}
	fs := &flag.FlagSet{}
	var namespaces list
	fs.Var(&namespaces, "namespaces", "The manager's --namespaces; empty: all.")
	fs.StringVar(&o.lease, "leader-election-namespace", "", "Namespace of the manager's Lease; empty: it runs without leader election.")
	fs.DurationVar(&o.timeout, "timeout", defaultTimeout, "How long all checks together may take.")
	config.RegisterFlags(fs)
	rest, err := cli.Command{Name: "selftest", Synopsis: "[flags]", Description: description, Stderr: p.Stderr}.Parse(fs, args)
	if err != nil {
		return o, err
	}
	if len(rest) > 0 {
		return o, fmt.Errorf("%w: selftest takes flags only, and was given %q", cli.ErrUsage, rest)
	}
	o.namespaces = namespaces
	if o.timeout <= 0 {
		return o, fmt.Errorf("%w: --timeout must be above 0s", cli.ErrUsage)
	}
	return o, nil
}

func connect() (client.Client, error) {
	scheme, err := manager.Scheme()
	if err != nil {
		return nil, err
	}
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the API server (--kubeconfig, KUBECONFIG or the pod's service account): %w", err)
	}
	cfg.QPS = -1 // the API server's priority and fairness limits us
	api, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	return api, nil
}

// list is a flag that takes commas.
type list []string

// String shows the values as the flag takes them.
func (l *list) String() string { return strings.Join(*l, ",") }

// Set adds values.
func (l *list) Set(value string) error {
	*l = append(*l, strings.Split(value, ",")...)
	return nil
}
