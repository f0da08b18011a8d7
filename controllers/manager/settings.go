// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/controllers"
)

// Defaults of lists; a flag replaces them.
const (
	defaultAllowedEndpoint  = "*.tetrate.ai"
	defaultGatewayClassName = "gateway.envoyproxy.io/gatewayclass-controller"
)

// SettingsFlags are the flags that decide the reconciler's Settings. The
// commands that foretell what the manager does take them by the same names.
type SettingsFlags struct {
	endpoints, names  list
	image, pullPolicy string
	pullSecrets       list
}

// NewSettingsFlags returns flags with their defaults.
func NewSettingsFlags() *SettingsFlags {
	return &SettingsFlags{
		endpoints: list{values: []string{defaultAllowedEndpoint}},
		names:     list{values: []string{defaultGatewayClassName}},
	}
}

// BindReferences adds the flags that decide what a TarsBackend may name.
func (f *SettingsFlags) BindReferences(fs *flag.FlagSet) {
	fs.Var(&f.endpoints, "allowed-endpoints", "Hosts that spec.endpoint.hostname may name: "+
		"an exact name, or *.name for its subdomains of any depth. Comma-separated, repeatable.")
	fs.Var(&f.names, "gateway-controller-names", "controllerNames of the GatewayClasses that belong to "+
		"an Envoy Gateway. Comma-separated, repeatable.")
}

// BindImage adds the flags about the external processor's image. Empty, the
// image is what its usage says.
func (f *SettingsFlags) BindImage(fs *flag.FlagSet, usage string) {
	fs.StringVar(&f.image, "extproc-image", "", "Image of the external processor; "+usage)
	fs.StringVar(&f.pullPolicy, "extproc-image-pull-policy", "", "Pull policy of that image: "+
		"Always, IfNotPresent or Never; empty: Kubernetes' default.")
	fs.Var(&f.pullSecrets, "extproc-image-pull-secrets", "Names of Secrets that pull that image for TarsBackends that name none, "+
		"each in the TarsBackend's own namespace. Comma-separated, repeatable.")
}

var (
	endpointEntry = regexp.MustCompile(`^([*]\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	// controllerName is Gateway API's own pattern of GatewayController.
	controllerName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$`)
)

// Settings are what the flags decide. The error reports everything that is
// wrong at once.
func (f *SettingsFlags) Settings() (controllers.Settings, error) {
	var problems []error
	settings := controllers.Settings{
		AllowedEndpoints:        f.endpoints.values,
		ExtProcImagePullSecrets: f.pullSecrets.values,
		ExtProcImage:            f.image,
		ExtProcImagePullPolicy:  corev1.PullPolicy(f.pullPolicy),
	}
	switch settings.ExtProcImagePullPolicy {
	case "", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		problems = append(problems, fmt.Errorf("--extproc-image-pull-policy %q is none of Always, IfNotPresent, Never", f.pullPolicy))
	}
	for _, entry := range f.endpoints.values {
		if !endpointEntry.MatchString(strings.TrimSuffix(strings.ToLower(entry), ".")) {
			problems = append(problems, fmt.Errorf("--allowed-endpoints: %q is neither a host name nor *. and a host name", entry))
		}
	}
	for _, name := range f.pullSecrets.values {
		if wrong := validation.IsDNS1123Subdomain(name); len(wrong) > 0 {
			problems = append(problems, fmt.Errorf("--extproc-image-pull-secrets: %q is no name of a Secret: %s", name, wrong[0]))
		}
	}
	for _, name := range f.names.values {
		if !controllerName.MatchString(name) {
			problems = append(problems, fmt.Errorf("--gateway-controller-names: %q is not of the form domain/path", name))
		}
		settings.GatewayControllerNames = append(settings.GatewayControllerNames, gatewayv1.GatewayController(name))
	}
	return settings, errors.Join(problems...)
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
