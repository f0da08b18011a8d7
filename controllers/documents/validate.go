// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/config/crd"
)

// checker knows the schema of the TarsBackend in the forms that Kubernetes'
// own code wants.
type checker struct {
	structural *structuralschema.Structural
	schema     crdvalidation.SchemaValidator
	rules      *cel.Validator
}

// newChecker reads the CRD; compiling its rules takes a moment, so once.
var newChecker = sync.OnceValues(func() (*checker, error) {
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(crd.TarsBackends, definition); err != nil {
		return nil, fmt.Errorf("reading the CRD: %w", err)
	}
	for _, version := range definition.Spec.Versions {
		if version.Name != v1alpha1.SchemeGroupVersion.Version {
			continue
		}
		props := &apiextensions.JSONSchemaProps{}
		err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, props, nil)
		if err != nil {
			return nil, fmt.Errorf("converting the CRD's schema: %w", err)
		}
		structural, err := structuralschema.NewStructural(props)
		if err != nil {
			return nil, fmt.Errorf("reading the CRD's schema: %w", err)
		}
		schema, _, err := crdvalidation.NewSchemaValidator(props)
		if err != nil {
			return nil, fmt.Errorf("reading the CRD's schema: %w", err)
		}
		return &checker{structural, schema, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
	}
	return nil, fmt.Errorf("the CRD has no version %s", v1alpha1.SchemeGroupVersion.Version)
})

// admit does to a TarsBackend what the API server does before it stores one: it
// refuses unknown fields, fills in the defaults, and checks schema and rules.
func (c *checker) admit(ctx context.Context, obj map[string]any) error {
	meta, _, unknown, err := objectmeta.GetObjectMetaWithOptions(obj, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	unknown = append(unknown, pruning.PruneWithOptions(obj, c.structural, true,
		structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)
	problems := make([]error, 0, len(unknown))
	for _, path := range unknown {
		problems = append(problems, fmt.Errorf("%s: there is no such field: correct its name or its indentation (docs/api.md lists all)", path))
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(obj, c.structural)
	defaulting.Default(obj, c.structural)

	found := validation.ValidateObjectMeta(meta, true, validation.NameIsDNSSubdomain, field.NewPath("metadata"))
	found = append(found, crdvalidation.ValidateCustomResource(nil, obj, c.schema)...)
	found = append(found, listtype.ValidateListSetsAndMaps(nil, c.structural, obj)...)
	if !slices.ContainsFunc(found, hidesRules) {
		broken, _ := c.rules.Validate(ctx, nil, c.structural, obj, nil, celconfig.RuntimeCELCostBudget)
		found = append(found, broken...)
	}
	for _, problem := range found {
		problems = append(problems, inWords(problem))
	}
	return errors.Join(problems...)
}

// hidesRules says that the API server does not evaluate rules beside such an
// error: they may take for granted what it breaks.
func hidesRules(e *field.Error) bool {
	switch e.Type {
	case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
		return true
	default:
		return false
	}
}

// inWords leaves out the value where it is the whole object.
func inWords(e *field.Error) error {
	if e.Field == "" || e.Field == "<nil>" {
		return errors.New(e.Detail)
	}
	return e
}
