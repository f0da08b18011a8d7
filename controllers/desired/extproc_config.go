// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// extProcConfig is the configuration of the external processor.
func extProcConfig(b *v1alpha1.TarsBackend) (config.Config, error) {
	drain, err := drainTimeout(b)
	if err != nil {
		return config.Config{}, err
	}
	route := config.Route{
		Name:                 b.Namespace + "/" + b.Name,
		PathPrefix:           b.Spec.PathPrefix,
		ServerAddress:        b.Spec.Endpoint.Hostname,
		ServerPort:           b.Spec.Endpoint.Port,
		PassToken:            passToken(b),
		CanaryPath:           CanaryPath(b),
		ForwardUnlistedPaths: forwardUnlistedPaths(b),
		MaxRequestBytes:      v1alpha1.DefaultMaxRequestBytes,
	}
	if body := b.Spec.RequestBody; body != nil && body.MaxSize != nil {
		route.MaxRequestBytes = body.MaxSize.Value()
	}
	if models := b.Spec.Models; models != nil {
		// Order carries no meaning: a reordered list must not roll the pods.
		route.Allow = slices.Sorted(slices.Values(models.Allow))
		for _, alias := range models.Aliases {
			route.Aliases = append(route.Aliases, config.Alias{Name: alias.Name, Model: alias.Model})
		}
		slices.SortFunc(route.Aliases, func(a, b config.Alias) int { return cmp.Compare(a.Name, b.Name) })
	}
	return config.Config{
		Version:      config.Version,
		Routes:       []config.Route{route},
		DrainSeconds: int64(drain / time.Second),
	}, nil
}

// forwardUnlistedPaths applies the default of spec.unlistedPaths: with an
// allow-list, a path that is not inspected would be a way around it.
func forwardUnlistedPaths(b *v1alpha1.TarsBackend) bool {
	switch b.Spec.UnlistedPaths {
	case v1alpha1.UnlistedPathsForward:
		return true
	case v1alpha1.UnlistedPathsDeny:
		return false
	default:
		return b.Spec.Models == nil || len(b.Spec.Models.Allow) == 0
	}
}

// drainTimeout is how long requests may outlive their pod's end.
func drainTimeout(b *v1alpha1.TarsBackend) (time.Duration, error) {
	if b.Spec.ExtProc == nil {
		return v1alpha1.DefaultDrainTimeout, nil
	}
	return duration("extProc.drainTimeout", b.Spec.ExtProc.DrainTimeout, v1alpha1.DefaultDrainTimeout)
}

// duration parses one of the API's durations.
func duration(field string, value *gatewayv1.Duration, unspecified time.Duration) (time.Duration, error) {
	if value == nil {
		return unspecified, nil
	}
	parsed, err := time.ParseDuration(string(*value))
	if err != nil {
		return 0, fmt.Errorf("spec.%s %q is no duration: %w", field, *value, err)
	}
	return parsed, nil
}
