// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/config/crd"
)

// version is the one that this program speaks.
var version = v1alpha1.SchemeGroupVersion.Version

// mendCRD is what to do about a CRD that is not ours.
const mendCRD = "upgrade the chart with crd.enabled=true, or apply files/crds of this chart's version"

// checkCRD proves that TarsBackends are served in our version, with every field
// that this program knows. A newer CRD has more of them, and is well.
func checkCRD(ctx context.Context, api client.Client, _ options) (string, error) {
	ours := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(crd.TarsBackends, ours); err != nil {
		return "", fmt.Errorf("reading this program's CRD: %w", err)
	}
	live := &apiextensionsv1.CustomResourceDefinition{}
	if err := api.Get(ctx, client.ObjectKeyFromObject(ours), live); err != nil {
		return "", fmt.Errorf("reading CustomResourceDefinition %s: %w; %s", ours.Name, err, mendCRD)
	}
	known, served := schemaOf(live)
	if !served {
		return "", fmt.Errorf("CustomResourceDefinition %s does not serve version %s: %s", live.Name, version, mendCRD)
	}
	wanted, _ := schemaOf(ours)
	if missing := lacking("", wanted, known); len(missing) > 0 {
		return "", fmt.Errorf("CustomResourceDefinition %s lacks %s: it is older than this operator; %s",
			live.Name, strings.Join(missing, ", "), mendCRD)
	}
	if !established(live) {
		return "", fmt.Errorf("CustomResourceDefinition %s is not established: kubectl describe crd %s says why", live.Name, live.Name)
	}
	return fmt.Sprintf("%s is served in version %s, with every field that this operator knows", live.Name, version), nil
}

func established(c *apiextensionsv1.CustomResourceDefinition) bool {
	return slices.ContainsFunc(c.Status.Conditions, func(condition apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue
	})
}

// schemaOf is the schema of our version, and whether that is served.
func schemaOf(c *apiextensionsv1.CustomResourceDefinition) (apiextensionsv1.JSONSchemaProps, bool) {
	for _, v := range c.Spec.Versions {
		if v.Name == version && v.Schema != nil && v.Schema.OpenAPIV3Schema != nil {
			return *v.Schema.OpenAPIV3Schema, v.Served
		}
	}
	return apiextensionsv1.JSONSchemaProps{}, false
}

// lacking are the paths of the fields that one schema has and the other has not,
// sorted; below one that is missing it does not look.
func lacking(path string, wanted, known apiextensionsv1.JSONSchemaProps) []string {
	var missing []string
	for name, field := range wanted.Properties {
		here := strings.TrimPrefix(path+"."+name, ".")
		there, ok := known.Properties[name]
		if !ok {
			missing = append(missing, here)
			continue
		}
		missing = append(missing, lacking(here, field, there)...)
	}
	if wanted.Items != nil && wanted.Items.Schema != nil {
		items := apiextensionsv1.JSONSchemaProps{}
		if known.Items != nil && known.Items.Schema != nil {
			items = *known.Items.Schema
		}
		missing = append(missing, lacking(path+"[]", *wanted.Items.Schema, items)...)
	}
	slices.Sort(missing)
	return missing
}
