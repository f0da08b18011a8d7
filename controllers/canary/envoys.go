// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// envoy is a ready Envoy at a resolved port.
type envoy struct {
	name    string
	address string
}

// servicesOf are the Services of a Gateway's own Envoys, or else those of the
// Envoys that its class shares.
func servicesOf(all []corev1.Service, gw *gatewayv1.Gateway) []corev1.Service {
	var own, shared []corev1.Service
	for _, s := range all {
		switch {
		case s.Labels[LabelOwningGatewayNamespace] == gw.Namespace && s.Labels[LabelOwningGatewayName] == gw.Name:
			own = append(own, s)
		case s.Labels[LabelOwningGatewayName] == "" && s.Labels[LabelOwningGatewayClass] == string(gw.Spec.GatewayClassName):
			shared = append(shared, s)
		}
	}
	if len(own) > 0 {
		return own
	}
	return shared
}

// servicePort is the name of the Service's TCP port with a listener's number.
func servicePort(s corev1.Service, listener int32) (string, bool) {
	for _, p := range s.Spec.Ports {
		if p.Port == listener && (p.Protocol == corev1.ProtocolTCP || p.Protocol == "") {
			return p.Name, true
		}
	}
	return "", false
}

// clusterAddress is where the cluster's network leads to a Service's Envoys from
// any node; nothing for a Service that has no such address.
func clusterAddress(s corev1.Service, port int32) (string, bool) {
	ip, err := netip.ParseAddr(s.Spec.ClusterIP)
	local := s.Spec.InternalTrafficPolicy != nil && *s.Spec.InternalTrafficPolicy == corev1.ServiceInternalTrafficPolicyLocal
	if err != nil || local || port < 1 || port > 65535 {
		return "", false
	}
	return netip.AddrPortFrom(ip, uint16(port)).String(), true
}

// envoysOf are the ready endpoints of a Service's port, each pod once: a pod
// with an address of either family is asked at its IPv4 one.
func envoysOf(all []discoveryv1.EndpointSlice, s corev1.Service, port string) []envoy {
	slicesOfService := slices.DeleteFunc(slices.Clone(all), func(e discoveryv1.EndpointSlice) bool {
		return e.Namespace != s.Namespace || e.Labels[discoveryv1.LabelServiceName] != s.Name
	})
	slices.SortStableFunc(slicesOfService, func(a, b discoveryv1.EndpointSlice) int {
		return cmp.Compare(a.AddressType, b.AddressType) // IPv4 before IPv6
	})
	var found []envoy
	seen := map[string]bool{}
	for _, slice := range slicesOfService {
		number, ok := slicePort(slice, port)
		if !ok {
			continue
		}
		for _, e := range slice.Endpoints {
			candidate, ok := readyEnvoy(e, number)
			if ok && !seen[candidate.name] {
				seen[candidate.name] = true
				found = append(found, candidate)
			}
		}
	}
	return found
}

// slicePort is the resolved number of a named port.
func slicePort(slice discoveryv1.EndpointSlice, name string) (uint16, bool) {
	for _, p := range slice.Ports {
		if p.Port == nil || *p.Port < 1 || *p.Port > 65535 || (p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP) {
			continue
		}
		if (p.Name == nil && name == "") || (p.Name != nil && *p.Name == name) {
			return uint16(*p.Port), true
		}
	}
	return 0, false
}

// readyEnvoy is where a ready endpoint listens. Only IP addresses count: a
// name could be made to lead anywhere.
func readyEnvoy(e discoveryv1.Endpoint, port uint16) (envoy, bool) {
	if e.Conditions.Ready != nil && !*e.Conditions.Ready {
		return envoy{}, false
	}
	if len(e.Addresses) == 0 {
		return envoy{}, false
	}
	ip, err := netip.ParseAddr(e.Addresses[0])
	if err != nil {
		return envoy{}, false
	}
	found := envoy{address: netip.AddrPortFrom(ip, port).String()}
	found.name = found.address
	if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
		found.name = e.TargetRef.Namespace + "/" + e.TargetRef.Name
	}
	return found, true
}
