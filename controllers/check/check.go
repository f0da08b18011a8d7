// SPDX-License-Identifier: Apache-2.0

// Package check is the command "tars-operator check": it says in words why a
// TarsBackend is not Ready, and finds mistakes in the objects that it is made
// of. It only reads, with the rights of whoever calls it.
package check

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers"
	"github.com/tars-operator/tars-operator/controllers/cli"
	"github.com/tars-operator/tars-operator/controllers/documents"
	"github.com/tars-operator/tars-operator/controllers/manager"
	"github.com/tars-operator/tars-operator/controllers/survey"
)

const description = `Says why TarsBackends are not Ready: the first thing that is wrong, in which
layer, what to do, and the command that shows more. Finds mistakes too that the
API server takes. Looks at one TarsBackend, at all of a namespace (that of the
current context by default), or, with -f, at files without a cluster.

It needs the role tarsbackend-viewer and to read Gateways; GatewayClasses,
Secrets, ConfigMaps and Namespaces are looked at where that is allowed. The
value of a key is never printed. The exit code is 0 where everything is Ready
and there is no complaint.
`

// Process is what the command has of its process.
type Process struct {
	// Stdin is read for the file "-".
	Stdin io.Reader
	// Stdout takes the reports, Stderr help.
	Stdout, Stderr io.Writer
}

// options are the command line.
type options struct {
	name                string
	namespace           string
	everywhere          bool
	files               cli.Files
	format              string
	kubeconfig, context string
	settings            controllers.Settings
}

// Run checks TarsBackends and prints a report on each. The error says that
// there are complaints, or why nothing could be checked; it wraps cli.ErrUsage
// after a wrong call.
func Run(ctx context.Context, args []string, p Process) error {
	o, err := parse(args, p)
	if err != nil {
		return err
	}
	look := o.inCluster
	if len(o.files) > 0 {
		look = o.inFiles
	}
	reports, err := look(ctx, p)
	if err != nil {
		return err
	}
	if err := write(p.Stdout, o.format, reports); err != nil {
		return err
	}
	bad := len(slices.DeleteFunc(slices.Clone(reports), Result.good))
	if bad > 0 {
		return fmt.Errorf("%d of %d TarsBackends want attention", bad, len(reports))
	}
	return nil
}

func parse(args []string, p Process) (options, error) {
	o := options{}
	fs := &flag.FlagSet{}
	settings := manager.NewSettingsFlags()
	fs.StringVar(&o.namespace, "n", "", "Namespace; empty: that of the context, and default for files.")
	fs.BoolVar(&o.everywhere, "A", false, "Look at all namespaces.")
	fs.Var(&o.files, "f", "File to look at instead of a cluster, as YAML or JSON; - for standard input. Repeatable.")
	fs.StringVar(&o.format, "o", formatText, "Format of the reports: text or json.")
	fs.StringVar(&o.kubeconfig, "kubeconfig", "", "Path of a kubeconfig; empty: as kubectl finds it.")
	fs.StringVar(&o.context, "context", "", "Context of the kubeconfig; empty: the current one.")
	settings.BindReferences(fs)
	rest, err := cli.Command{
		Name: "check", Synopsis: "[NAME] [-n NAMESPACE | -A | -f FILE] [flags]", Description: description, Stderr: p.Stderr,
	}.Parse(fs, args)
	if err != nil {
		return o, err
	}
	if o.settings, err = settings.Settings(); err != nil {
		return o, fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	if len(rest) > 0 {
		// As kubectl names objects: with or without their kind.
		o.name = rest[0]
		for _, kind := range []string{"tarsbackend/", "tarsbackends/", "tars/"} {
			o.name = strings.TrimPrefix(o.name, kind)
		}
	}
	return o, o.validate(len(rest))
}

// validate refuses flags that exclude each other.
func (o options) validate(arguments int) error {
	var problem string
	switch {
	case arguments > 1:
		problem = "check takes one name: leave it out to look at all of a namespace"
	case o.format != formatText && o.format != formatJSON:
		problem = fmt.Sprintf("-o %q is neither %s nor %s", o.format, formatText, formatJSON)
	case o.everywhere && o.name != "":
		problem = "-A looks at all, and a name at one: leave one of them out"
	case o.everywhere && o.namespace != "":
		problem = "-A looks at all namespaces, and -n at one: leave one of them out"
	case len(o.files) > 0 && (o.kubeconfig != "" || o.context != "" || o.everywhere):
		problem = "-f looks at files, and --kubeconfig, --context and -A at a cluster: leave one of them out"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", cli.ErrUsage, problem)
}

// inFiles looks at the TarsBackends of files.
func (o options) inFiles(ctx context.Context, p Process) ([]Result, error) {
	namespace := o.namespace
	if namespace == "" {
		namespace = "default"
	}
	set, err := documents.Reader{Stdin: p.Stdin, Namespace: namespace}.Read(ctx, o.files)
	if err != nil {
		return nil, err
	}
	var reports []Result
	for _, b := range set.Backends {
		if o.name != "" && b.Name != o.name {
			continue
		}
		found, err := survey.Take(ctx, set, b, o.settings)
		if err != nil {
			return nil, fmt.Errorf("TarsBackend %s/%s: %w", b.Namespace, b.Name, err)
		}
		reports = append(reports, Result{
			Namespace: b.Namespace, Name: b.Name, Unseen: found.Assumed,
			Complaints: append(own(found.Seen, nil), lint(found)...),
		})
	}
	if len(reports) == 0 {
		return nil, fmt.Errorf("no TarsBackend %s in the files", o.name)
	}
	return reports, nil
}

// inCluster looks at the TarsBackends of a cluster.
func (o options) inCluster(ctx context.Context, _ Process) ([]Result, error) {
	c, namespace, err := connect(o)
	if err != nil {
		return nil, err
	}
	switch {
	case o.everywhere:
		namespace = ""
	case o.namespace != "":
		namespace = o.namespace
	}
	if o.name != "" {
		err = c.get(ctx, types.NamespacedName{Namespace: namespace, Name: o.name})
	} else {
		err = c.list(ctx, namespace)
	}
	if err != nil {
		return nil, err
	}
	if len(c.backends) == 0 {
		where := "the cluster"
		if namespace != "" {
			where = "namespace " + namespace
		}
		return nil, errors.New("there is no TarsBackend in " + where)
	}
	reports := make([]Result, 0, len(c.backends))
	for i := range c.backends {
		report, err := o.inspect(ctx, c, &c.backends[i])
		if err != nil {
			return nil, err
		}
		reports = append(reports, report)
	}
	return reports, nil
}

// inspect looks at one TarsBackend of a cluster. Where its status is current,
// the manager's word on endpoint, Gateways' controllers and rivals counts: it
// alone knows its flags and all TarsBackends.
func (o options) inspect(ctx context.Context, c *cluster, b *v1alpha1.TarsBackend) (Result, error) {
	found, err := survey.Take(ctx, c, b, o.settings)
	if err != nil {
		return Result{}, fmt.Errorf("TarsBackend %s/%s: %w", b.Namespace, b.Name, err)
	}
	if current(b) {
		found.Seen.Refused = nil
		for i := range found.Seen.Parents {
			found.Seen.Parents[i].Refused = nil
			found.Seen.Parents[i].Controlled = true
		}
	}
	problem := diagnose(b)
	ready := problem == nil
	return Result{
		Namespace: b.Namespace, Name: b.Name, Ready: &ready, Problem: problem, Unseen: found.Assumed,
		Complaints: append(own(found.Seen, problem), lint(found)...),
	}, nil
}
