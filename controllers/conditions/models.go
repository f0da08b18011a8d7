// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// Models tells about the models that apps can ask for; nil while TARS has not
// told which there are.
func Models(o Observation) *v1alpha1.ModelsStatus {
	if o.Canary == nil || o.Canary.Models == nil || !verifies(o) {
		return nil
	}
	spec := ptr.Deref(o.Backend.Spec.Models, v1alpha1.Models{})
	reached := make(map[string]bool, len(o.Canary.Models))
	for _, id := range o.Canary.Models {
		reached[id] = true
	}
	names, missing := map[string]bool{}, map[string]bool{}
	for id := range reached {
		if len(spec.Allow) == 0 {
			names[id] = true
		}
	}
	for _, entry := range spec.Allow {
		found := false
		for id := range reached {
			if fits(entry, id) {
				names[id], found = true, true
			}
		}
		if !found {
			missing[entry] = true
		}
	}
	for _, alias := range spec.Aliases {
		delete(names, alias.Name) // it hides a model of that name
	}
	for _, alias := range spec.Aliases {
		if reached[alias.Model] {
			names[alias.Name] = true
		} else {
			missing[alias.Model] = true
		}
	}
	status := &v1alpha1.ModelsStatus{Available: int32(min(len(names), 1<<30))}
	for entry := range missing {
		status.Missing = append(status.Missing, entry)
	}
	slices.Sort(status.Missing)
	return status
}

// fits says whether an entry of models.allow covers a model.
func fits(entry, id string) bool {
	if prefix, ok := strings.CutSuffix(entry, "*"); ok {
		return strings.HasPrefix(id, prefix)
	}
	return entry == id
}

// modelsResolved says whether the key reaches what the spec names.
func modelsResolved(o Observation) verdict {
	if !verifies(o) {
		return verificationDisabled()
	}
	if !o.Applied {
		return notApplied(o)
	}
	models := Models(o)
	if models == nil {
		models = o.ModelsBefore
	}
	if models == nil {
		return pending("TARS has not told yet which models the key reaches")
	}
	if len(models.Missing) > 0 {
		named := models.Missing[:min(len(models.Missing), maxListed)]
		message := "the key reaches no model that fits " + strings.Join(named, ", ")
		if more := len(models.Missing) - len(named); more > 0 {
			message += fmt.Sprintf(" and %d more of status.models.missing", more)
		}
		return no(v1alpha1.ReasonModelsNotFound, message+
			": apps that ask for them get 404; correct spec.models, or have TARS give the key these models")
	}
	return yes(v1alpha1.ReasonModelsResolved, fmt.Sprintf("apps can ask for %d models", models.Available))
}
