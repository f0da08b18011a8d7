// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// AnyHost is the host of a listener and a route that both name none.
const AnyHost = "*"

// Listener is a listener that takes the route of a TarsBackend.
type Listener struct {
	// Name is the listener's, unique in its Gateway.
	Name gatewayv1.SectionName
	// Protocol is HTTP, HTTPS or TLS.
	Protocol gatewayv1.ProtocolType
	// Port is the one that clients dial.
	Port gatewayv1.PortNumber
	// Hosts are the host names under which the listener serves the route,
	// sorted: exact ones, wildcards ("*.example.com"), or AnyHost alone.
	Hosts []string
}

// Listeners are those of a parent that take the route of a TarsBackend, by
// the rules of Gateway API and the Gateway's own status: selected by the
// parentRef's sectionName and port, allowed by allowedRoutes, with a host name
// in common, and not refused by Envoy Gateway. namespaceLabels are those of
// the TarsBackend's namespace; while they are nil, a listener that selects by
// them is taken to allow it.
func Listeners(p Parent, backend *v1alpha1.TarsBackend, namespaceLabels map[string]string) []Listener {
	if p.Gateway == nil || !p.Controlled {
		return nil
	}
	var taken []Listener
	for _, l := range p.Gateway.Spec.Listeners {
		if !selects(p.Ref, l) || !carriesHTTPRoutes(p.Gateway, l) || refusedByGateway(p.Gateway, l.Name) {
			continue
		}
		if !allowsNamespace(p.Gateway.Namespace, l, backend.Namespace, namespaceLabels) {
			continue
		}
		hosts := servedHosts(p.Gateway.Spec.Listeners, l, backend.Spec.Hostnames)
		if len(hosts) == 0 {
			continue
		}
		taken = append(taken, Listener{Name: l.Name, Protocol: l.Protocol, Port: l.Port, Hosts: hosts})
	}
	return taken
}

// selects says whether a parentRef means this listener.
func selects(ref gatewayv1.ParentReference, l gatewayv1.Listener) bool {
	if ref.SectionName != nil && *ref.SectionName != l.Name {
		return false
	}
	return ref.Port == nil || *ref.Port == l.Port
}

// carriesHTTPRoutes asks the listener's status for the kinds it supports, and
// its spec while there is no status.
func carriesHTTPRoutes(gw *gatewayv1.Gateway, l gatewayv1.Listener) bool {
	if s := listenerStatus(gw, l.Name); s != nil && len(s.SupportedKinds) > 0 {
		return slices.ContainsFunc(s.SupportedKinds, isHTTPRoute)
	}
	if l.Protocol != gatewayv1.HTTPProtocolType && l.Protocol != gatewayv1.HTTPSProtocolType {
		return false
	}
	if l.AllowedRoutes == nil || len(l.AllowedRoutes.Kinds) == 0 {
		return true
	}
	return slices.ContainsFunc(l.AllowedRoutes.Kinds, isHTTPRoute)
}

func isHTTPRoute(k gatewayv1.RouteGroupKind) bool {
	return k.Kind == "HTTPRoute" && (k.Group == nil || *k.Group == gatewayv1.GroupName)
}

// refusedByGateway says that Envoy Gateway leaves the listener out.
func refusedByGateway(gw *gatewayv1.Gateway, name gatewayv1.SectionName) bool {
	s := listenerStatus(gw, name)
	if s == nil {
		return false
	}
	c := meta.FindStatusCondition(s.Conditions, string(gatewayv1.ListenerConditionProgrammed))
	return c != nil && c.Status == metav1.ConditionFalse && c.ObservedGeneration == gw.Generation
}

func listenerStatus(gw *gatewayv1.Gateway, name gatewayv1.SectionName) *gatewayv1.ListenerStatus {
	for i := range gw.Status.Listeners {
		if gw.Status.Listeners[i].Name == name {
			return &gw.Status.Listeners[i]
		}
	}
	return nil
}

func allowsNamespace(gateway string, l gatewayv1.Listener, namespace string, nsLabels map[string]string) bool {
	from := gatewayv1.NamespacesFromSame
	var selector *metav1.LabelSelector
	if l.AllowedRoutes != nil && l.AllowedRoutes.Namespaces != nil {
		selector = l.AllowedRoutes.Namespaces.Selector
		if l.AllowedRoutes.Namespaces.From != nil {
			from = *l.AllowedRoutes.Namespaces.From
		}
	}
	switch from {
	case gatewayv1.NamespacesFromAll:
		return true
	case gatewayv1.NamespacesFromSelector:
		if nsLabels == nil {
			return true
		}
		s, err := metav1.LabelSelectorAsSelector(selector)
		return err == nil && s.Matches(labels.Set(nsLabels))
	case gatewayv1.NamespacesFromSame:
		return gateway == namespace
	default:
		return false
	}
}

// servedHosts intersects a listener's host name with the route's. A name that
// another listener of the same port has for its own is served there only.
func servedHosts(all []gatewayv1.Listener, l gatewayv1.Listener, route []gatewayv1.Hostname) []string {
	own := hostOf(l)
	hosts := map[string]bool{}
	if len(route) == 0 {
		hosts[own] = true
	}
	for _, r := range route {
		if h, ok := intersect(own, string(r)); ok {
			hosts[h] = true
		}
	}
	for _, other := range all {
		if other.Name != l.Name && other.Port == l.Port && hostOf(other) != AnyHost {
			delete(hosts, hostOf(other))
		}
	}
	sorted := make([]string, 0, len(hosts))
	for h := range hosts {
		sorted = append(sorted, h)
	}
	slices.Sort(sorted)
	return sorted
}

func hostOf(l gatewayv1.Listener) string {
	if l.Hostname == nil || *l.Hostname == "" {
		return AnyHost
	}
	return string(*l.Hostname)
}

// intersect is the narrower of two host names if one contains the other.
func intersect(a, b string) (string, bool) {
	switch {
	case a == b, contains(b, a):
		return a, true
	case contains(a, b):
		return b, true
	default:
		return "", false
	}
}

// contains says that every host that narrow matches is matched by wide too.
func contains(wide, narrow string) bool {
	if wide == AnyHost {
		return true
	}
	suffix, isWildcard := strings.CutPrefix(wide, "*")
	return isWildcard && len(narrow) > len(suffix) && strings.HasSuffix(narrow, suffix)
}

// IsConcrete says that a host of a Listener is one host, not a pattern.
func IsConcrete(host string) bool {
	return !strings.HasPrefix(host, "*")
}
