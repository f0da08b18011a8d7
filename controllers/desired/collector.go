// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"cmp"
	"net/url"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// Variables that say where traces go, and how; of two the first that is set
// counts (OpenTelemetry specification, "OpenTelemetry Protocol Exporter").
const (
	envTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envOTLPEndpoint   = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	envOTLPProtocol   = "OTEL_EXPORTER_OTLP_PROTOCOL"
)

// dnsPort is where names are resolved.
const dnsPort = int32(53)

// collectorEgress opens the way to the collector of traces: its port on any
// host, since a policy cannot name hosts, and DNS. Nothing without a collector.
func collectorEgress(variables []v1alpha1.EnvVar) []networkingv1.NetworkPolicyEgressRule {
	port, ok := collectorPort(variables)
	if !ok {
		return nil
	}
	return []networkingv1.NetworkPolicyEgressRule{
		{Ports: []networkingv1.NetworkPolicyPort{policyPort(corev1.ProtocolTCP, port)}},
		{Ports: []networkingv1.NetworkPolicyPort{policyPort(corev1.ProtocolUDP, dnsPort), policyPort(corev1.ProtocolTCP, dnsPort)}},
	}
}

// collectorPort is the port of the endpoint that traces go to.
func collectorPort(variables []v1alpha1.EnvVar) (int32, bool) {
	values := map[string]string{}
	for _, variable := range variables {
		values[variable.Name] = variable.Value
	}
	endpoint, err := url.Parse(cmp.Or(values[envTracesEndpoint], values[envOTLPEndpoint]))
	if err != nil || endpoint.Host == "" {
		return 0, false
	}
	if port, err := strconv.ParseUint(endpoint.Port(), 10, 16); err == nil && port > 0 {
		return int32(port), true
	}
	// Without a port, gRPC means that of HTTPS whatever the scheme.
	if protocol := cmp.Or(values[envTracesProtocol], values[envOTLPProtocol]); endpoint.Scheme == "http" && protocol != "grpc" {
		return 80, true
	}
	return 443, true
}
