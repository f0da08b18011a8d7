// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/extproc/config"
)

// hashObjects identifies what Envoy Gateway translates by its content: 16
// hexadecimal digits.
func hashObjects(objects []client.Object) (string, error) {
	sum := sha256.New()
	for _, obj := range objects {
		content, err := json.Marshal(obj)
		if err != nil {
			return "", fmt.Errorf("hashing %s: %w", obj.GetName(), err)
		}
		sum.Write(content)
		sum.Write([]byte{'\n'})
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

// announce has Envoy put the hash on every answer of the HTTPRoute's rules, its own
// answers and the external processor's among them. The external processor takes it
// off those that are not for a canary.
func announce(route *gatewayv1.HTTPRoute, hash string) {
	for i := range route.Spec.Rules {
		rule := &route.Spec.Rules[i]
		rule.Filters = append(rule.Filters, announcement(hash))
	}
}

func announcement(hash string) gatewayv1.HTTPRouteFilter {
	return gatewayv1.HTTPRouteFilter{
		Type: gatewayv1.HTTPRouteFilterResponseHeaderModifier,
		ResponseHeaderModifier: &gatewayv1.HTTPHeaderFilter{
			Set: []gatewayv1.HTTPHeader{{Name: config.HeaderRouteHash, Value: hash}},
		},
	}
}

// AnnouncedHash is the hash that an HTTPRoute of ours announces in every rule; empty
// where there is none.
func AnnouncedHash(route *gatewayv1.HTTPRoute) string {
	hash := ""
	for i := range route.Spec.Rules {
		found := announced(&route.Spec.Rules[i])
		if found == "" || (i > 0 && found != hash) {
			return ""
		}
		hash = found
	}
	return hash
}

// Announcements are the rules of an HTTPRoute without anything but what AnnouncedHash
// reads.
func Announcements(route *gatewayv1.HTTPRoute) []gatewayv1.HTTPRouteRule {
	rules := make([]gatewayv1.HTTPRouteRule, len(route.Spec.Rules))
	for i := range route.Spec.Rules {
		if hash := announced(&route.Spec.Rules[i]); hash != "" {
			rules[i].Filters = []gatewayv1.HTTPRouteFilter{announcement(hash)}
		}
	}
	return rules
}

func announced(rule *gatewayv1.HTTPRouteRule) string {
	for _, filter := range rule.Filters {
		if filter.ResponseHeaderModifier == nil {
			continue
		}
		for _, h := range filter.ResponseHeaderModifier.Set {
			if h.Name == config.HeaderRouteHash {
				return h.Value
			}
		}
	}
	return ""
}
