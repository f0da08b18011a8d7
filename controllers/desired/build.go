// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"errors"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// Build makes all children. They share no memory with the input. It fails only
// on input that the API server and the resolving of references would have
// refused.
func Build(in Input) (Objects, error) {
	if err := in.validate(); err != nil {
		return Objects{}, err
	}
	in.Backend = in.Backend.DeepCopy()
	settings, err := extProcConfig(in.Backend)
	if err != nil {
		return Objects{}, err
	}
	data, configHash, err := config.Marshal(settings)
	if err != nil {
		return Objects{}, err
	}
	pods := extProcPods{Input: in, configHash: configHash, drainSeconds: settings.DrainSeconds}

	route := HTTPRoute(in)
	translated := []client.Object{
		Backend(in.Backend),
		CredentialFilter(in.Backend),
		EnvoyExtensionPolicy(in.Backend, in.ExtensionPolicy),
		BackendTrafficPolicy(in.Backend),
	}
	routeHash, err := hashObjects(slices.Concat(translated, []client.Object{route}))
	if err != nil {
		return Objects{}, err
	}
	if in.RouteHash != "" {
		announce(route, in.RouteHash)
	}

	ordered := []client.Object{
		CredentialSecret(in.Backend, in.Key),
		ConfigMap(in.Backend, data, configHash),
		ServiceAccount(in.Backend),
		NetworkPolicy(in.Backend),
		Service(in.Backend),
		Deployment(pods),
	}
	if budget := PodDisruptionBudget(in.Backend); budget != nil {
		ordered = append(ordered, budget)
	}
	return Objects{
		Ordered:    slices.Concat(ordered, translated, []client.Object{route}),
		ConfigHash: configHash,
		RouteHash:  routeHash,
		CanaryPath: CanaryPath(in.Backend),
		PassToken:  passToken(in.Backend),
	}, nil
}

// validate refuses what would make children that look right and are not.
func (in Input) validate() error {
	switch {
	case in.Backend == nil || in.Backend.UID == "":
		return errors.New("building the children of an object that has no UID")
	case len(in.Parents) == 0:
		return errors.New("building the children of an object without a parent")
	case in.Key == "":
		return errors.New("building the children of an object without a key")
	case in.ExtProcImage == "":
		return errors.New("building the children of an object without the external processor's image")
	case in.Backend.Spec.Endpoint.Hostname == "" || in.Backend.Spec.Endpoint.Port == 0:
		return errors.New("building the children of an object without an endpoint")
	}
	return nil
}
