// SPDX-License-Identifier: Apache-2.0

package desired

import (
	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/resource"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// statusExtProcDown is what Envoy answers when it cannot reach the external
// processor. Nothing else answers 510, which is how the override below tells
// it from errors that the external processor itself gave.
const statusExtProcDown = 510

// extProcBuffer is what Envoy may buffer of each connection to the external
// processor, which all requests of a worker share. It is Envoy's own default. Envoy
// Gateway's is 32 KiB: then Envoy stops and goes on within bodies, and takes 1.3 (100 kB) to
// 1.5 times (1 MB) the CPU time.
const extProcBuffer = "1Mi"

// EnvoyExtensionPolicy puts the external processor into the route. It depends
// on nothing of the spec: every change of it would change the listener, and
// Envoy would drain the connections of every app on it.
//
// What the standing one (nil: there is none) says of buffers stays for its life, too:
// a change of the cluster would reset the requests in flight.
func EnvoyExtensionPolicy(b *v1alpha1.TarsBackend, standing *egv1a1.EnvoyExtensionPolicy) *egv1a1.EnvoyExtensionPolicy {
	cluster := extProcCluster()
	if !lacksBuffer(standing) {
		cluster.Connection = &egv1a1.BackendConnection{BufferLimit: new(resource.MustParse(extProcBuffer))}
	}
	return &egv1a1.EnvoyExtensionPolicy{
		TypeMeta:   typeMeta(egv1a1.GroupVersion, "EnvoyExtensionPolicy"),
		ObjectMeta: meta(b, RouteName(b)),
		Spec: egv1a1.EnvoyExtensionPolicySpec{
			PolicyTargetReferences: targetRef(b),
			MergeType:              new(egv1a1.StrategicMerge),
			ExtProc: []egv1a1.ExtProc{{
				BackendCluster: egv1a1.BackendCluster{
					BackendRefs: []egv1a1.BackendRef{{
						BackendObjectReference: gatewayv1.BackendObjectReference{
							Group: new(gatewayv1.Group("")),
							Kind:  new(gatewayv1.Kind("Service")),
							Name:  gatewayv1.ObjectName(ExtProcName(b)),
							Port:  new(grpcPort),
						},
						Weight: new(uint32(1)),
					}},
					BackendSettings: cluster,
				},
				FailOpen:       new(false),
				StatusOnError:  new(int32(statusExtProcDown)),
				ProcessingMode: processingMode(),
				Metadata:       &egv1a1.ExtProcMetadata{WritableNamespaces: []string{config.MetadataNamespace}},
			}},
		},
	}
}

// lacksBuffer says that a policy of ours leaves the buffers to Envoy Gateway: it was
// made before they were set.
func lacksBuffer(standing *egv1a1.EnvoyExtensionPolicy) bool {
	if standing == nil || len(standing.Spec.ExtProc) == 0 || standing.Spec.ExtProc[0].BackendSettings == nil {
		return false
	}
	connection := standing.Spec.ExtProc[0].BackendSettings.Connection
	return connection == nil || connection.BufferLimit == nil
}

// Standing is of an EnvoyExtensionPolicy what EnvoyExtensionPolicy reads of the standing one.
func Standing(p *egv1a1.EnvoyExtensionPolicy) egv1a1.EnvoyExtensionPolicySpec {
	spec := egv1a1.EnvoyExtensionPolicySpec{}
	for _, processor := range p.Spec.ExtProc {
		kept := egv1a1.ExtProc{}
		if settings := processor.BackendSettings; settings != nil {
			kept.BackendSettings = &egv1a1.ClusterSettings{Connection: settings.Connection}
		}
		spec.ExtProc = append(spec.ExtProc, kept)
	}
	return spec
}

// processingMode has everything sent, and with answers what Envoy knows about them:
// who gave them and, where a local reply of an earlier filter begins a stream with its
// response, what the request was. Each attribute costs Envoy CPU time, above all those
// that are not a text.
func processingMode() *egv1a1.ExtProcProcessingMode {
	return &egv1a1.ExtProcProcessingMode{
		Request:  fullDuplex(),
		Response: fullDuplex("request.path", "request.method", "request.id", "response.code_details"),
	}
}

func fullDuplex(attributes ...string) *egv1a1.ProcessingModeOptions {
	return &egv1a1.ProcessingModeOptions{
		Body:       new(egv1a1.FullDuplexStreamedExtBodyProcessingMode),
		Attributes: attributes,
	}
}

// extProcCluster takes a hung replica out: in full duplex mode Envoy does not
// enforce a timeout on its messages.
func extProcCluster() *egv1a1.ClusterSettings {
	return &egv1a1.ClusterSettings{
		Timeout: &egv1a1.Timeout{TCP: &egv1a1.TCPTimeout{ConnectTimeout: new(gatewayv1.Duration("2s"))}},
		HealthCheck: &egv1a1.HealthCheck{
			Active: &egv1a1.ActiveHealthCheck{
				Type:               egv1a1.ActiveHealthCheckerTypeGRPC,
				Timeout:            new(gatewayv1.Duration("1s")),
				Interval:           new(gatewayv1.Duration("3s")),
				UnhealthyThreshold: new(uint32(2)),
				HealthyThreshold:   new(uint32(1)),
			},
			// One healthy replica is enough to leave the others out; Envoy's
			// default asks hung ones again once they are more than half. Not 0:
			// a replica counts as unhealthy until its first check, so a rolling
			// update of a single replica would lose requests.
			PanicThreshold: new(uint32(1)),
		},
		CircuitBreaker: circuitBreaker(),
		// A replica that dies, or lets its connection go in the moment that Envoy
		// picks it, has not answered yet: another one can. Envoy does not avoid
		// the one that failed, so it takes several tries to come by it. Nothing
		// has been sent to TARS then, and nothing is retried after the first
		// answer.
		Retry: &egv1a1.Retry{
			NumRetries: new(int32(8)),
			RetryOn: &egv1a1.RetryOn{Triggers: []egv1a1.TriggerEnum{
				egv1a1.ConnectFailure, egv1a1.RefusedStream, egv1a1.Reset, egv1a1.Unavailable,
			}},
			PerRetry: &egv1a1.PerRetryPolicy{BackOff: &egv1a1.BackOffPolicy{
				BaseInterval: new(gatewayv1.Duration("10ms")), MaxInterval: new(gatewayv1.Duration("100ms")),
			}},
		},
		// The windows of the external processor's own side.
		HTTP2: &egv1a1.HTTP2Settings{
			InitialStreamWindowSize:     new(resource.MustParse("256Ki")),
			InitialConnectionWindowSize: new(resource.MustParse("8Mi")),
			// Health checks keep new requests away from a hung replica or a node
			// that went dark; these end the requests that are waiting for it.
			ConnectionKeepalive: &egv1a1.HTTP2KeepaliveSettings{
				Interval: new(gatewayv1.Duration("10s")),
				Timeout:  new(gatewayv1.Duration("5s")),
			},
		},
	}
}
