// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/conditions"
)

// Labels that Envoy Gateway puts on the Services of its Envoys.
const (
	// LabelOwningGatewayNamespace is the namespace of the Gateway served.
	LabelOwningGatewayNamespace = "gateway.envoyproxy.io/owning-gateway-namespace"
	// LabelOwningGatewayName is the name of the Gateway served.
	LabelOwningGatewayName = "gateway.envoyproxy.io/owning-gateway-name"
	// LabelOwningGatewayClass replaces both where one fleet of Envoys serves
	// all Gateways of a class (EnvoyProxy mergeGateways).
	LabelOwningGatewayClass = "gateway.envoyproxy.io/owning-gatewayclass"
)

// Target is one Envoy at one listener, or the Service in front of them.
type Target struct {
	// Gateway is "<namespace>/<name>" and Listener the listener's name.
	Gateway, Listener string
	// Envoy is the pod's "<namespace>/<name>", or its address where the
	// EndpointSlice names no pod.
	Envoy string
	// Service is set in place of Envoy: the Service's "<namespace>/<name>". Its
	// answers prove that the cluster's network leads to the Envoys, which it
	// learns a moment after they are ready.
	Service string
	// Address is "ip:port" as the EndpointSlice or the Service has it.
	Address string
	// Host is the Host header that leads to the TarsBackend's route, and with TLS
	// the server's name.
	Host string
	// TLS says that the listener speaks HTTPS.
	TLS bool
	// Upstream says that TARS is asked through this one.
	Upstream bool
}

// Plan is what is to be asked, of whom, and what the right answer is. Two
// equal plans are the same plan.
type Plan struct {
	// Targets are sorted and without duplicates.
	Targets []Target
	// NotPossible says which listeners cannot be asked, and why, in words.
	NotPossible []string
	// Missing names the listeners that have no ready Envoy, in words.
	Missing []string
	// Path is the canary path.
	Path string
	// ConfigHash and RouteHash are what a right answer carries.
	ConfigHash, RouteHash string
	// Agreement is how many right answers in a row each Envoy has to give.
	Agreement int
	// Upstream says how TARS is asked.
	Upstream Upstream
	// Trust is what was known before the operator started. It counts only for the
	// first plan of an object, and makes no plan another one.
	Trust Trust
	// RollingOut says that replicas of the external processor are about to change, so
	// that answers of before are normal. It makes no plan another one either.
	RollingOut bool
}

// Trust says what an operator that ran before has verified of exactly this
// plan. It is believed until the first answers, which come at once: otherwise each
// restart would take all TarsBackends' readiness back for a moment.
type Trust struct {
	DataPlane, Upstream, Key bool
}

// PlanInput is what a plan is made of.
type PlanInput struct {
	// Backend is the object whose route is asked for.
	Backend *v1alpha1.TarsBackend
	// NamespaceLabels are those of the Backend's namespace; nil: not known.
	NamespaceLabels map[string]string
	// Parents are the parentRefs as resolved.
	Parents []conditions.Parent
	// Services are at least those with Envoy Gateway's labels for the
	// parents, of any namespace; others are ignored.
	Services []corev1.Service
	// EndpointSlices are at least those of these Services; others are ignored.
	EndpointSlices []discoveryv1.EndpointSlice
	// Path is the canary path.
	Path string
	// ConfigHash and RouteHash are what a right answer carries.
	ConfigHash, RouteHash string
	// Replicas is the desired number of replicas of the external processor.
	Replicas int32
	// Trust is what was known before the operator started.
	Trust Trust
	// RollingOut says that the external processor does not run the current
	// configuration alone.
	RollingOut bool
	// Upstream says how TARS is asked.
	Upstream Upstream
}

// hostForAny is the Host header for a listener and a route that name no host:
// of a domain that nobody can have (RFC 6761).
const hostForAny = canaryLabel + ".invalid"

// canaryLabel stands in for the * of a wildcard host name.
const canaryLabel = "tarsbackend-canary"

// Envoy picks a replica of the external processor for each request, and for a
// moment after a rollout it may still know pods of the configuration before. To
// miss one of them among R others by chance, answersPerReplica*(R+1) times in a
// row, has a probability of e^-12, one in 160,000. More than maxAgreement answers are not asked
// for: a client's first request meets such a pod more rarely than the canary
// does. An answer takes Envoy one or two milliseconds.
const (
	answersPerReplica = 12
	maxAgreement      = 120
	// serviceAgreement is for a Service: it proves the way to Envoys, of which
	// each is asked by itself.
	serviceAgreement = 10
)

// agreement is how many right answers in a row a target has to give.
func (p Plan) agreement(t Target) int {
	if t.Service != "" {
		return min(p.Agreement, serviceAgreement)
	}
	return p.Agreement
}

// NewPlan finds every ready Envoy of every listener that takes the route. It
// goes by the Services that Envoy Gateway labels, their EndpointSlices and the
// ports resolved there: ports are not computed, because the mapping from a
// listener's port to Envoy's depends on EnvoyProxy's settings.
func NewPlan(in PlanInput) Plan {
	p := Plan{
		Path: in.Path, ConfigHash: in.ConfigHash, RouteHash: in.RouteHash,
		Agreement:  min(maxAgreement, answersPerReplica*(1+max(1, int(in.Replicas)))),
		Upstream:   in.Upstream,
		Trust:      in.Trust,
		RollingOut: in.RollingOut,
	}
	for _, parent := range in.Parents {
		if parent.Gateway == nil || !parent.Controlled {
			continue
		}
		listeners := conditions.Listeners(parent, in.Backend, in.NamespaceLabels)
		if len(listeners) == 0 {
			p.Missing = append(p.Missing, fmt.Sprintf(
				"Gateway %s/%s has no listener that takes the route", parent.Gateway.Namespace, parent.Gateway.Name))
		}
		for _, l := range listeners {
			p.addListener(in, parent.Gateway, l)
		}
	}
	slices.SortFunc(p.Targets, compareTargets)
	p.Targets = slices.Compact(p.Targets)
	markUpstream(p.Targets)
	p.NotPossible = sortedSet(p.NotPossible)
	p.Missing = sortedSet(p.Missing)
	return p
}

// addListener adds the Envoys behind one listener, or the words that say why
// there are none.
func (p *Plan) addListener(in PlanInput, gw *gatewayv1.Gateway, l conditions.Listener) {
	where := fmt.Sprintf("listener %s of Gateway %s/%s", l.Name, gw.Namespace, gw.Name)
	if l.Protocol != gatewayv1.HTTPProtocolType && l.Protocol != gatewayv1.HTTPSProtocolType {
		p.NotPossible = append(p.NotPossible, fmt.Sprintf(
			"%s speaks %s and the operator probes only HTTP and HTTPS listeners", where, l.Protocol))
		return
	}
	services := servicesOf(in.Services, gw)
	if len(services) == 0 {
		p.NotPossible = append(p.NotPossible, fmt.Sprintf(
			"%s: no Service carries Envoy Gateway's labels for this Gateway, so its Envoys cannot be found", where))
		return
	}
	var envoys []envoy
	var fronts []Target
	exposed := false
	for i := range services {
		port, ok := servicePort(services[i], l.Port)
		if !ok {
			continue
		}
		exposed = true
		found := envoysOf(in.EndpointSlices, services[i], port)
		if address, ok := clusterAddress(services[i], l.Port); ok && len(found) > 0 {
			fronts = append(fronts, Target{Service: services[i].Namespace + "/" + services[i].Name, Address: address})
		}
		envoys = append(envoys, found...)
	}
	if !exposed {
		p.Missing = append(p.Missing, fmt.Sprintf("%s: no Service of its Envoys has port %d", where, l.Port))
		return
	}
	if len(envoys) == 0 {
		p.Missing = append(p.Missing, where+" has no ready Envoy")
		return
	}
	for _, e := range envoys {
		fronts = append(fronts, Target{Envoy: e.name, Address: e.address})
	}
	for _, t := range fronts {
		t.Gateway, t.Listener, t.Host = gw.Namespace+"/"+gw.Name, string(l.Name), hostHeader(l.Hosts)
		t.TLS = l.Protocol == gatewayv1.HTTPSProtocolType
		p.Targets = append(p.Targets, t)
	}
}

// hostHeader is a host that leads to the route: a concrete one if there is.
func hostHeader(hosts []string) string {
	if i := slices.IndexFunc(hosts, conditions.IsConcrete); i >= 0 {
		return hosts[i]
	}
	if hosts[0] == conditions.AnyHost {
		return hostForAny
	}
	return canaryLabel + strings.TrimPrefix(hosts[0], "*")
}

// standsIn says that a host is ours, in place of one that is not known.
func standsIn(host string) bool { return strings.HasPrefix(host, canaryLabel+".") }

func compareTargets(a, b Target) int {
	return cmp.Or(
		cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Listener, b.Listener),
		cmp.Compare(a.Envoy, b.Envoy), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Address, b.Address),
		cmp.Compare(a.Host, b.Host), compareBool(a.TLS, b.TLS),
	)
}

func sortedSet(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// equal says that two plans are the same plan.
func (p Plan) equal(other Plan) bool {
	return p.sameAnswer(other) && p.Agreement == other.Agreement && p.Upstream == other.Upstream &&
		slices.Equal(p.Targets, other.Targets) &&
		slices.Equal(p.NotPossible, other.NotPossible) &&
		slices.Equal(p.Missing, other.Missing)
}

// sameAnswer says that what is a right answer to one plan is one to the other.
func (p Plan) sameAnswer(other Plan) bool {
	return p.Path == other.Path && p.ConfigHash == other.ConfigHash && p.RouteHash == other.RouteHash
}
