// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// Build makes all children. It fails only on input that the API server and
// the resolving of references would have refused.
func Build(in Input) (Objects, error) {
	if in.Backend == nil || in.Backend.UID == "" {
		return Objects{}, errors.New("building the children of an object that has no UID")
	}
	if len(in.Parents) == 0 {
		return Objects{}, errors.New("building the children of an object without a parent")
	}
	extProcConfig, err := extProcConfig(in.Backend)
	if err != nil {
		return Objects{}, err
	}
	data, configHash, err := config.Marshal(extProcConfig)
	if err != nil {
		return Objects{}, err
	}
	timeouts, err := timeouts(in.Backend)
	if err != nil {
		return Objects{}, err
	}

	route := HTTPRoute(in, timeouts)
	translated := []client.Object{
		Backend(in.Backend),
		CredentialFilter(in.Backend),
		UnprocessedFilter(in.Backend),
		EnvoyExtensionPolicy(in.Backend),
		BackendTrafficPolicy(in.Backend, timeouts),
	}
	routeHash, err := hashObjects(append(translated, route))
	if err != nil {
		return Objects{}, err
	}
	if in.RouteHash != "" {
		annotate(route, in.RouteHash)
	}

	ordered := []client.Object{
		CredentialSecret(in.Backend, in.Key),
		ConfigMap(in.Backend, data, configHash),
		ServiceAccount(in.Backend),
		NetworkPolicy(in.Backend),
		Service(in.Backend),
		Deployment(in, configHash),
	}
	if budget := PodDisruptionBudget(in.Backend); budget != nil {
		ordered = append(ordered, budget)
	}
	ordered = append(append(ordered, translated...), route)
	return Objects{
		Ordered:    ordered,
		ConfigHash: configHash,
		RouteHash:  routeHash,
		CanaryPath: CanaryPath(in.Backend),
	}, nil
}
