// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/tars-operator/tars-operator/controllers"
)

// Options are what the flags decide.
type Options struct {
	// Version is the operator's, for logs and the user agent.
	Version string
	// MetricsBindAddress is where metrics are served; "0" turns them off.
	MetricsBindAddress string
	// MetricsSecure serves metrics by TLS and to authorized callers only.
	MetricsSecure bool
	// MetricsCertPath is the directory with the metrics' certificate; empty:
	// a self-signed one.
	MetricsCertPath string
	// MetricsCertName and MetricsCertKey are the files in MetricsCertPath.
	MetricsCertName, MetricsCertKey string
	// HealthProbeBindAddress is where /healthz and /readyz are served.
	HealthProbeBindAddress string
	// LeaderElect has only one of several managers act.
	LeaderElect bool
	// LeaderElectionNamespace holds the Lease; empty: the pod's own.
	LeaderElectionNamespace string
	// EnableHTTP2 serves metrics by HTTP/2 too.
	EnableHTTP2 bool
	// Settings are the reconciler's.
	Settings controllers.Settings
}

type parsed struct {
	Options
	zap zap.Options
}

// parse reads the arguments. Help and errors of the flag package go to stderr.
func parse(args []string, stderr io.Writer) (parsed, error) {
	o := parsed{}
	settings := NewSettingsFlags()
	var namespaces list

	fs := flag.NewFlagSet("tars-operator manager", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.MetricsBindAddress, "metrics-bind-address", "0", "Where metrics are served, for example :8443; 0: nowhere.")
	fs.BoolVar(&o.MetricsSecure, "metrics-secure", true, "Serve metrics by HTTPS, to authenticated and authorized callers only.")
	fs.StringVar(&o.MetricsCertPath, "metrics-cert-path", "", "Directory with the certificate for metrics; empty: self-signed.")
	fs.StringVar(&o.MetricsCertName, "metrics-cert-name", "tls.crt", "Certificate's file in --metrics-cert-path.")
	fs.StringVar(&o.MetricsCertKey, "metrics-cert-key", "tls.key", "Key's file in --metrics-cert-path.")
	fs.StringVar(&o.HealthProbeBindAddress, "health-probe-bind-address", ":8081", "Where /healthz and /readyz are served.")
	fs.BoolVar(&o.LeaderElect, "leader-elect", false, "Have only one of several managers act.")
	fs.StringVar(&o.LeaderElectionNamespace, "leader-election-namespace", "", "Namespace of the Lease; empty: the pod's own.")
	fs.BoolVar(&o.EnableHTTP2, "enable-http2", false, "Serve metrics by HTTP/2 too.")
	fs.Var(&namespaces, "namespaces", "Namespaces whose TarsBackends are looked after; empty: all. Comma-separated, repeatable.")
	settings.BindReferences(fs)
	settings.BindImage(fs, "required. It is this binary's own image.")
	config.RegisterFlags(fs)
	o.zap.BindFlags(fs)
	if err := fs.Parse(args); err != nil {
		return parsed{}, fmt.Errorf("parsing the manager's flags: %w", err)
	}
	if fs.NArg() > 0 {
		return parsed{}, fmt.Errorf("the manager takes flags only, and was given %q", fs.Args())
	}
	var problems error
	o.Settings, problems = settings.Settings()
	if o.Settings.ExtProcImage == "" {
		problems = errors.Join(errors.New("--extproc-image is required: give it the image that this manager runs from"), problems)
	}
	o.Settings.Namespaces = namespaces.values
	for _, name := range namespaces.values {
		if wrong := validation.IsDNS1123Label(name); len(wrong) > 0 {
			problems = errors.Join(problems, fmt.Errorf("--namespaces: %q is no name of a namespace: %s", name, wrong[0]))
		}
	}
	return o, problems
}
