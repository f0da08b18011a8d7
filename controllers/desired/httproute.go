// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"slices"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// removedHeaders never reach TARS: our own; the other ways to hand TARS a key
// (a client could bill elsewhere or override the team's key); and what tells
// about the client and the network in front of the gateway. Gateway API allows
// sixteen.
var removedHeaders = []string{
	config.HeaderPass, config.HeaderModel,
	"x-api-key", "x-tars-api-key", "proxy-authorization", "cookie",
	"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
	"x-forwarded-client-cert", "x-envoy-external-address", "x-real-ip",
}

// HTTPRoute sends a request to TARS only after the external processor said so.
// Rule entry matches the path alone and leads to a port of the external
// processor that answers 503 to everything. Rule pass asks, besides, for a
// header that only the external processor adds, and has the backend with the
// key. Without the external processor or its policy nothing gets through.
//
// Rule entry has a backend, where a direct response would do, because Envoy
// chooses the filters of a request by the rule that it matches first, and some,
// as CORS and upgrades, pass over rules that answer directly.
func HTTPRoute(in Input) *gatewayv1.HTTPRoute {
	b := in.Backend
	return &gatewayv1.HTTPRoute{
		TypeMeta:   typeMeta(gatewayVersion, "HTTPRoute"),
		ObjectMeta: meta(b, RouteName(b)),
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: parentRefs(in.Parents)},
			Hostnames:       b.Spec.Hostnames,
			Rules:           []gatewayv1.HTTPRouteRule{entryRule(b), passRule(b)},
		},
	}
}

// parentRefs writes what the API server would fill in: the list is atomic, so
// a default left out would look like a change each time.
func parentRefs(parents []gatewayv1.ParentReference) []gatewayv1.ParentReference {
	refs := make([]gatewayv1.ParentReference, 0, len(parents))
	for i := range parents {
		parent := *parents[i].DeepCopy()
		if parent.Group == nil {
			parent.Group = new(gatewayv1.Group(gatewayv1.GroupName))
		}
		if parent.Kind == nil {
			parent.Kind = new(gatewayv1.Kind("Gateway"))
		}
		refs = append(refs, parent)
	}
	return refs
}

func entryRule(b *v1alpha1.TarsBackend) gatewayv1.HTTPRouteRule {
	return gatewayv1.HTTPRouteRule{
		Name:    new(gatewayv1.SectionName("entry")),
		Matches: []gatewayv1.HTTPRouteMatch{{Path: pathMatch(b)}},
		BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{
				Group: new(gatewayv1.Group(corev1.GroupName)),
				Kind:  new(gatewayv1.Kind("Service")),
				Name:  gatewayv1.ObjectName(ExtProcName(b)),
				Port:  new(httpPort),
			},
			Weight: new(int32(1)),
		}}},
	}
}

func passRule(b *v1alpha1.TarsBackend) gatewayv1.HTTPRouteRule {
	return gatewayv1.HTTPRouteRule{
		Name: new(gatewayv1.SectionName("pass")),
		Matches: []gatewayv1.HTTPRouteMatch{{
			Path: pathMatch(b),
			Headers: []gatewayv1.HTTPHeaderMatch{{
				Type: new(gatewayv1.HeaderMatchExact), Name: config.HeaderPass, Value: passToken(b),
			}},
		}},
		Filters: []gatewayv1.HTTPRouteFilter{
			{
				Type:                  gatewayv1.HTTPRouteFilterRequestHeaderModifier,
				RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Remove: slices.Clone(removedHeaders)},
			},
			{
				Type: gatewayv1.HTTPRouteFilterURLRewrite,
				URLRewrite: &gatewayv1.HTTPURLRewriteFilter{Path: &gatewayv1.HTTPPathModifier{
					Type: gatewayv1.PrefixMatchHTTPPathModifier, ReplacePrefixMatch: new("/v1"),
				}},
			},
		},
		BackendRefs: []gatewayv1.HTTPBackendRef{backendRef(b)},
		// Without it Envoy ends every answer after 15 s.
		Timeouts: &gatewayv1.HTTPRouteTimeouts{Request: new(timeouts(b).request)},
	}
}

func pathMatch(b *v1alpha1.TarsBackend) *gatewayv1.HTTPPathMatch {
	return &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new(servedPath(b))}
}

// backendRef rewrites the host here and not in the rule: there, Envoy would add
// the gateway's host name as x-forwarded-host after the headers were removed.
func backendRef(b *v1alpha1.TarsBackend) gatewayv1.HTTPBackendRef {
	return gatewayv1.HTTPBackendRef{
		BackendRef: gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{
				Group: new(gatewayv1.Group(egv1a1.GroupName)),
				Kind:  new(gatewayv1.Kind(egv1a1.KindBackend)),
				Name:  gatewayv1.ObjectName(RouteName(b)),
				Port:  new(b.Spec.Endpoint.Port),
			},
			Weight: new(int32(1)),
		},
		Filters: []gatewayv1.HTTPRouteFilter{
			{
				Type: gatewayv1.HTTPRouteFilterURLRewrite,
				URLRewrite: &gatewayv1.HTTPURLRewriteFilter{
					Hostname: new(gatewayv1.PreciseHostname(b.Spec.Endpoint.Hostname)),
				},
			},
			filterRef(CredentialSecretName(b)),
		},
	}
}

func filterRef(name string) gatewayv1.HTTPRouteFilter {
	return gatewayv1.HTTPRouteFilter{
		Type: gatewayv1.HTTPRouteFilterExtensionRef,
		ExtensionRef: &gatewayv1.LocalObjectReference{
			Group: egv1a1.GroupName, Kind: egv1a1.KindHTTPRouteFilter, Name: gatewayv1.ObjectName(name),
		},
	}
}
