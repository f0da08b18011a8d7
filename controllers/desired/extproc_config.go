// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"cmp"
	"slices"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// extProcConfig is the configuration of the external processor.
func extProcConfig(b *v1alpha1.TarsBackend) (config.Config, error) {
	drain, err := drainSeconds(b)
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
		DrainSeconds: drain,
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
