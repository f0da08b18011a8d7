// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"slices"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// unlimited takes Envoy's circuit breakers out of the way: their default of
// 1024 would answer 503 to the 1025th parallel stream.
const unlimited = int64(1 << 20)

// statusRouteInvalid is what Envoy Gateway has a route answer, with an empty
// body, while the external processor's Service has no endpoint at all. The
// external processor itself never answers 500.
const statusRouteInvalid = 500

// BackendTrafficPolicy bounds the way to TARS in time, retries what cannot
// have been charged, and words the answer when the external processor is down.
func BackendTrafficPolicy(b *v1alpha1.TarsBackend) *egv1a1.BackendTrafficPolicy {
	t := timeouts(b)
	return &egv1a1.BackendTrafficPolicy{
		TypeMeta:   typeMeta(egv1a1.GroupVersion, "BackendTrafficPolicy"),
		ObjectMeta: meta(b, RouteName(b)),
		Spec: egv1a1.BackendTrafficPolicySpec{
			PolicyTargetReferences: targetRef(b),
			MergeType:              new(egv1a1.StrategicMerge),
			ClusterSettings: egv1a1.ClusterSettings{
				Timeout: &egv1a1.Timeout{
					TCP:  &egv1a1.TCPTimeout{ConnectTimeout: &t.connect},
					HTTP: &egv1a1.HTTPTimeout{StreamIdleTimeout: &t.streamIdle},
				},
				Retry:          retry(b),
				CircuitBreaker: circuitBreaker(),
			},
			ResponseOverride: []*egv1a1.ResponseOverride{{
				Match: egv1a1.CustomResponseMatch{StatusCodes: []egv1a1.StatusCodeMatch{
					statusIs(statusExtProcDown), statusIs(statusRouteInvalid),
				}},
				Source: new(egv1a1.ResponseOverrideSourceLocal),
				Response: &egv1a1.CustomResponse{
					ContentType: new(contentTypeJSON),
					StatusCode:  new(statusServiceUnavailable),
					Body:        inline(bodyExtProcDown),
					Header:      errorSourceHeader(),
				},
			}},
		},
	}
}

func statusIs(code int) egv1a1.StatusCodeMatch {
	return egv1a1.StatusCodeMatch{Type: new(egv1a1.StatusCodeValueTypeValue), Value: &code}
}

// targetRef makes a policy act on our HTTPRoute.
func targetRef(b *v1alpha1.TarsBackend) egv1a1.PolicyTargetReferences {
	return egv1a1.PolicyTargetReferences{
		TargetRefs: []gatewayv1.LocalPolicyTargetReferenceWithSectionName{{
			LocalPolicyTargetReference: gatewayv1.LocalPolicyTargetReference{
				Group: gatewayv1.GroupName, Kind: "HTTPRoute", Name: gatewayv1.ObjectName(RouteName(b)),
			},
		}},
	}
}

func circuitBreaker() *egv1a1.CircuitBreaker {
	return &egv1a1.CircuitBreaker{
		MaxConnections:      new(unlimited),
		MaxPendingRequests:  new(unlimited),
		MaxParallelRequests: new(unlimited),
		MaxParallelRetries:  new(unlimited),
	}
}

// retry is spec.retry with the defaults filled in.
func retry(b *v1alpha1.TarsBackend) *egv1a1.Retry {
	spec := ptr.Deref(b.Spec.Retry, v1alpha1.Retry{})
	codes := spec.Codes
	if codes == nil {
		codes = []v1alpha1.RetryStatusCode{v1alpha1.DefaultRetryCode}
	}
	on := &egv1a1.RetryOn{Triggers: []egv1a1.TriggerEnum{egv1a1.ConnectFailure, egv1a1.RefusedStream}}
	if len(codes) > 0 {
		on.Triggers = append(on.Triggers, egv1a1.RetriableStatusCodes)
	}
	for _, code := range slices.Sorted(slices.Values(codes)) {
		on.HTTPStatusCodes = append(on.HTTPStatusCodes, egv1a1.HTTPStatus(code))
	}
	return &egv1a1.Retry{NumRetries: new(ptr.Deref(spec.Attempts, v1alpha1.DefaultRetryAttempts)), RetryOn: on}
}
