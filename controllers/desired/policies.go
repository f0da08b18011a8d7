// SPDX-License-Identifier: Apache-2.0

package desired

import (
	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// statusExtProcDown is what Envoy answers when it cannot reach the external
// processor. Nothing else answers 510, which is how the override below tells
// it from errors that the external processor itself gave.
const statusExtProcDown = 510

// unlimited takes Envoy's circuit breakers out of the way: their default of
// 1024 would answer 503 to the 1025th parallel stream.
const unlimited = int64(1 << 20)

var (
	// requestAttributes and responseAttributes are what Envoy tells the
	// external processor about a request: the route's hash for the canary,
	// and, where a local reply of an earlier filter begins a stream with its
	// response, what the request was.
	requestAttributes  = []string{"xds.route_metadata", "xds.route_name", "request.id"}
	responseAttributes = []string{
		"xds.route_metadata", "xds.route_name", "request.path", "request.method", "request.id",
		"response.code", "response.code_details", "response.flags",
	}
)

// targetRef makes a policy act on our HTTPRoute.
func targetRef(b *v1alpha1.TarsBackend) egv1a1.PolicyTargetReferences {
	return egv1a1.PolicyTargetReferences{
		TargetRefs: []gatewayv1.LocalPolicyTargetReferenceWithSectionName{{
			LocalPolicyTargetReference: gatewayv1.LocalPolicyTargetReference{
				Group: gatewayv1.GroupName, Kind: "HTTPRoute", Name: gatewayv1.ObjectName(routeName(b)),
			},
		}},
	}
}

// EnvoyExtensionPolicy puts the external processor into the route. It depends
// on nothing of the spec: every change of it would change the listener, and
// Envoy would drain the connections of every app on it.
func EnvoyExtensionPolicy(b *v1alpha1.TarsBackend) *egv1a1.EnvoyExtensionPolicy {
	return &egv1a1.EnvoyExtensionPolicy{
		TypeMeta:   typeMeta(egv1a1.GroupVersion, "EnvoyExtensionPolicy"),
		ObjectMeta: meta(b, routeName(b)),
		Spec: egv1a1.EnvoyExtensionPolicySpec{
			PolicyTargetReferences: targetRef(b),
			MergeType:              new(egv1a1.StrategicMerge),
			ExtProc: []egv1a1.ExtProc{{
				BackendCluster: egv1a1.BackendCluster{
					BackendRefs: []egv1a1.BackendRef{{
						BackendObjectReference: gatewayv1.BackendObjectReference{
							Group: new(gatewayv1.Group("")),
							Kind:  new(gatewayv1.Kind("Service")),
							Name:  gatewayv1.ObjectName(extProcName(b)),
							Port:  new(gatewayv1.PortNumber(grpcPort)),
						},
						Weight: new(uint32(1)),
					}},
					BackendSettings: extProcCluster(),
				},
				FailOpen:      new(false),
				StatusOnError: new(int32(statusExtProcDown)),
				ProcessingMode: &egv1a1.ExtProcProcessingMode{
					Request:  fullDuplex(requestAttributes),
					Response: fullDuplex(responseAttributes),
				},
				Metadata: &egv1a1.ExtProcMetadata{WritableNamespaces: []string{config.MetadataNamespace}},
			}},
		},
	}
}

func fullDuplex(attributes []string) *egv1a1.ProcessingModeOptions {
	return &egv1a1.ProcessingModeOptions{
		Body:       new(egv1a1.FullDuplexStreamedExtBodyProcessingMode),
		Attributes: attributes,
	}
}

// extProcCluster takes a hung external processor out: in full duplex mode
// Envoy does not enforce a timeout on its messages.
func extProcCluster() *egv1a1.ClusterSettings {
	return &egv1a1.ClusterSettings{
		HealthCheck: &egv1a1.HealthCheck{Active: &egv1a1.ActiveHealthCheck{
			Type:               egv1a1.ActiveHealthCheckerTypeGRPC,
			Timeout:            new(gatewayv1.Duration("1s")),
			Interval:           new(gatewayv1.Duration("3s")),
			UnhealthyThreshold: new(uint32(2)),
			HealthyThreshold:   new(uint32(1)),
		}},
		CircuitBreaker: circuitBreaker(),
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

// BackendTrafficPolicy bounds the way to TARS in time, retries what cannot
// have been charged, and words the answer when the external processor is down.
func BackendTrafficPolicy(b *v1alpha1.TarsBackend, t requestTimeouts) *egv1a1.BackendTrafficPolicy {
	return &egv1a1.BackendTrafficPolicy{
		TypeMeta:   typeMeta(egv1a1.GroupVersion, "BackendTrafficPolicy"),
		ObjectMeta: meta(b, routeName(b)),
		Spec: egv1a1.BackendTrafficPolicySpec{
			PolicyTargetReferences: targetRef(b),
			MergeType:              new(egv1a1.StrategicMerge),
			ClusterSettings: egv1a1.ClusterSettings{
				Timeout: &egv1a1.Timeout{
					TCP:  &egv1a1.TCPTimeout{ConnectTimeout: &t.connect},
					HTTP: &egv1a1.HTTPTimeout{StreamIdleTimeout: &t.streamIdle},
				},
				Retry: &egv1a1.Retry{
					NumRetries: new(int32(1)),
					RetryOn: &egv1a1.RetryOn{
						Triggers: []egv1a1.TriggerEnum{
							egv1a1.ConnectFailure, egv1a1.RefusedStream, egv1a1.RetriableStatusCodes,
						},
						HTTPStatusCodes: []egv1a1.HTTPStatus{statusServiceUnavailable},
					},
				},
				CircuitBreaker: circuitBreaker(),
			},
			ResponseOverride: []*egv1a1.ResponseOverride{{
				Match: egv1a1.CustomResponseMatch{StatusCodes: []egv1a1.StatusCodeMatch{{
					Type: new(egv1a1.StatusCodeValueTypeValue), Value: new(statusExtProcDown),
				}}},
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
