// SPDX-License-Identifier: Apache-2.0

package check

import (
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
	"github.com/tars-operator/tars-operator/docs"
)

// advice is what the runbook says about a reason, with the names of one
// TarsBackend in place of the runbook's.
type advice struct {
	// look is the command that shows more.
	look string
	// fix is what to do.
	fix string
}

// adviceOn reads the runbook's section of a reason; empty: it has none.
func adviceOn(reason string, b *v1alpha1.TarsBackend) advice {
	_, section, found := strings.Cut(docs.Runbook, "\n### "+reason+"\n")
	if !found {
		return advice{}
	}
	section, _, _ = strings.Cut(section, "\n#")
	names := renaming(b)
	return advice{
		look: names(strings.Trim(paragraph(section, "Look"), "`")),
		fix:  names(links.ReplaceAllString(paragraph(section, "Fix"), "$1")),
	}
}

// paragraph is that of a section which begins with a word in bold, on one line.
func paragraph(section, word string) string {
	_, text, _ := strings.Cut(section, "**"+word+"** ")
	text, _, _ = strings.Cut(text, "\n\n")
	return strings.Join(strings.Fields(text), " ")
}

var (
	// names are whole words, so that neither gateway.tars.dev nor tars-system
	// counts as one of the runbook's.
	names = regexp.MustCompile(`[A-Za-z0-9._\\-]+`)
	links = regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)
)

// renaming puts a TarsBackend's names in place of those that the runbook says
// it uses.
func renaming(b *v1alpha1.TarsBackend) func(string) string {
	own := map[string]string{
		"team":         b.Namespace,
		"tars":         b.Name,
		"tars-extproc": desired.ExtProcName(b),
		"tars-api-key": b.Spec.Credential.SecretRef.Name,
	}
	if tls := b.Spec.Endpoint.TLS; tls != nil && tls.Validation != nil && len(tls.Validation.CACertificateRefs) > 0 {
		own["tars-ca"] = string(tls.Validation.CACertificateRefs[0].Name)
	}
	if gateway := suspect(b); gateway != nil {
		own["public"], own["infra"] = string(gateway.Name), b.Namespace
		if gateway.Namespace != nil {
			own["infra"] = string(*gateway.Namespace)
		}
	}
	return func(text string) string {
		return names.ReplaceAllStringFunc(text, func(word string) string {
			if name, ok := own[word]; ok {
				return name
			}
			return word
		})
	}
}

// suspect is the first parent about which the status has something else than
// good to say, or else the first.
func suspect(b *v1alpha1.TarsBackend) *gatewayv1.ParentReference {
	for i := range b.Status.Parents {
		parent := &b.Status.Parents[i]
		if slices.ContainsFunc(parent.Conditions, func(c metav1.Condition) bool { return c.Status != metav1.ConditionTrue }) {
			return &parent.ParentRef
		}
	}
	if len(b.Spec.ParentRefs) == 0 {
		return nil
	}
	return &b.Spec.ParentRefs[0]
}
