// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

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

// Defaults of lists; a flag replaces them.
const (
	defaultAllowedEndpoint  = "*.tetrate.ai"
	defaultGatewayClassName = "gateway.envoyproxy.io/gatewayclass-controller"
)

// parse reads the arguments. Help and errors of the flag package go to stderr.
func parse(args []string, stderr io.Writer) (parsed, error) {
	o := parsed{}
	endpoints := list{values: []string{defaultAllowedEndpoint}}
	names := list{values: []string{defaultGatewayClassName}}
	var pullPolicy string

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
	fs.Var(&endpoints, "allowed-endpoints", "Hosts that spec.endpoint.hostname may name: "+
		"an exact name, or *.name for its subdomains of any depth. Comma-separated, repeatable.")
	fs.Var(&names, "gateway-controller-names", "controllerNames of the GatewayClasses that belong to "+
		"an Envoy Gateway. Comma-separated, repeatable.")
	fs.StringVar(&o.Settings.ExtProcImage, "extproc-image", "", "Image of the external processor; required. It is this binary's own image.")
	fs.StringVar(&pullPolicy, "extproc-image-pull-policy", "", "Pull policy of that image: "+
		"Always, IfNotPresent or Never; empty: Kubernetes' default.")
	config.RegisterFlags(fs)
	o.zap.BindFlags(fs)
	if err := fs.Parse(args); err != nil {
		return parsed{}, fmt.Errorf("parsing the manager's flags: %w", err)
	}
	if fs.NArg() > 0 {
		return parsed{}, fmt.Errorf("the manager takes flags only, and was given %q", fs.Args())
	}
	o.Settings.AllowedEndpoints = endpoints.values
	for _, name := range names.values {
		o.Settings.GatewayControllerNames = append(o.Settings.GatewayControllerNames, gatewayv1.GatewayController(name))
	}
	o.Settings.ExtProcImagePullPolicy = corev1.PullPolicy(pullPolicy)
	return o, o.validate()
}

var (
	endpointEntry = regexp.MustCompile(`^([*]\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	// controllerName is Gateway API's own pattern of GatewayController.
	controllerName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$`)
)

// validate reports everything that is wrong at once.
func (o parsed) validate() error {
	var problems []error
	if o.Settings.ExtProcImage == "" {
		problems = append(problems, errors.New("--extproc-image is required: give it the image that this manager runs from"))
	}
	switch o.Settings.ExtProcImagePullPolicy {
	case "", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		problems = append(problems, fmt.Errorf("--extproc-image-pull-policy %q is none of Always, IfNotPresent, Never",
			o.Settings.ExtProcImagePullPolicy))
	}
	for _, entry := range o.Settings.AllowedEndpoints {
		if !endpointEntry.MatchString(strings.TrimSuffix(strings.ToLower(entry), ".")) {
			problems = append(problems, fmt.Errorf("--allowed-endpoints: %q is neither a host name nor *. and a host name", entry))
		}
	}
	for _, name := range o.Settings.GatewayControllerNames {
		if !controllerName.MatchString(string(name)) {
			problems = append(problems, fmt.Errorf("--gateway-controller-names: %q is not of the form domain/path", name))
		}
	}
	return errors.Join(problems...)
}

// list is a flag that may be repeated and takes commas; the first use replaces
// the default.
type list struct {
	values []string
	set    bool
}

// String shows the values as the flag takes them.
func (l *list) String() string { return strings.Join(l.values, ",") }

// Set adds values. An empty one empties the list: nothing is then allowed.
func (l *list) Set(value string) error {
	if !l.set {
		l.values, l.set = nil, true
	}
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			l.values = append(l.values, part)
		}
	}
	return nil
}
