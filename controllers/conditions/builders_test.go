// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

const (
	envoyGateway = gatewayv1.GatewayController("gateway.envoyproxy.io/gatewayclass-controller")
	otherGateway = gatewayv1.GatewayController("example.com/gateway-controller")
	hash         = "0123456789abcdef"
	// generation of the TarsBackend; those of the children all differ.
	generation = int64(7)
)

// allTypes are those that are always present, in order.
var allTypes = []string{
	v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs, v1alpha1.ConditionProgrammed,
	v1alpha1.ConditionExtProcAvailable, v1alpha1.ConditionDataPlaneVerified,
	v1alpha1.ConditionUpstreamReachable, v1alpha1.ConditionCredentialVerified, v1alpha1.ConditionModelsResolved,
	v1alpha1.ConditionReady,
}

func cond(conditionType string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: conditionType, Status: status, Reason: reason, Message: message}
}

func observed(c metav1.Condition, generation int64) metav1.Condition {
	c.ObservedGeneration = generation
	return c
}

// aGateway has one HTTP listener that allows every namespace, and works.
func aGateway(namespace, name string) *gatewayv1.Gateway {
	const seen = 3
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: seen},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: "eg",
			Listeners:        []gatewayv1.Listener{aListener("http", gatewayv1.HTTPProtocolType, 80, "")},
		},
		Status: gatewayv1.GatewayStatus{
			Addresses: []gatewayv1.GatewayStatusAddress{{Value: "192.0.2.7"}},
			Conditions: []metav1.Condition{
				observed(cond("Accepted", metav1.ConditionTrue, "Accepted", ""), seen),
				observed(cond("Programmed", metav1.ConditionTrue, "Programmed", ""), seen),
			},
			Listeners: []gatewayv1.ListenerStatus{{Name: "http", Conditions: []metav1.Condition{
				observed(cond("Programmed", metav1.ConditionTrue, "Programmed", ""), seen),
			}}},
		},
	}
}

func aListener(name string, protocol gatewayv1.ProtocolType, port int32, hostname string) gatewayv1.Listener {
	l := gatewayv1.Listener{
		Name: gatewayv1.SectionName(name), Protocol: protocol, Port: port,
		AllowedRoutes: &gatewayv1.AllowedRoutes{
			Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromAll)},
		},
	}
	if hostname != "" {
		l.Hostname = new(gatewayv1.Hostname(hostname))
	}
	return l
}

func aRef(namespace, name string) gatewayv1.ParentReference {
	return gatewayv1.ParentReference{
		Group: new(gatewayv1.Group(gatewayv1.GroupName)), Kind: new(gatewayv1.Kind("Gateway")),
		Namespace: new(gatewayv1.Namespace(namespace)), Name: gatewayv1.ObjectName(name),
	}
}

// good is an observation of a TarsBackend that serves traffic.
func good() *Observation {
	ref := aRef("infra", "public")
	return &Observation{
		Backend: &v1alpha1.TarsBackend{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "tars", Generation: generation},
			Spec: v1alpha1.TarsBackendSpec{
				ParentRefs: []gatewayv1.ParentReference{ref},
				PathPrefix: "/",
				Endpoint:   v1alpha1.Endpoint{Hostname: "api.router.tetrate.ai", Port: 443},
				Readiness:  v1alpha1.Readiness{DataPlane: v1alpha1.ReadinessRequired},
			},
		},
		Resolved:              true,
		Parents:               []Parent{{Ref: ref, Gateway: aGateway("infra", "public"), ControllerName: envoyGateway, Controlled: true}},
		NamespaceLabels:       map[string]string{},
		Applied:               true,
		ConfigHash:            hash,
		RouteHash:             hash,
		CredentialFingerprint: "sha256:1f3a9c2e",
		Route:                 aRoute(ref),
		ExtensionPolicy: &egv1a1.EnvoyExtensionPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "tars", Generation: 1},
			Status:     anAncestor(ref, 1),
		},
		TrafficPolicy: &egv1a1.BackendTrafficPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "tars", Generation: 2},
			Status:     anAncestor(ref, 2),
		},
		Endpoint: &egv1a1.Backend{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "tars", Generation: 4},
			Status: egv1a1.BackendStatus{Conditions: []metav1.Condition{
				observed(cond("Accepted", metav1.ConditionTrue, "Accepted", ""), 4),
			}},
		},
		Deployment: aDeployment(2),
		Canary: &CanaryReport{
			Probes:   []Probe{{Gateway: "infra/public", Listener: "http", Envoy: "eg/envoy-1", Outcome: ProbeVerified}},
			Upstream: []UpstreamProbe{answers("infra/public", "eg/envoy-1")},
			Models:   []string{"gpt-4o-mini", "claude-haiku-4-5", "xai/grok-4.5"},
		},
	}
}

// answers is an Envoy through which TARS takes the key.
func answers(gateway, envoy string) UpstreamProbe {
	good := UpstreamVerdict{Outcome: UpstreamServed}
	return UpstreamProbe{Gateway: gateway, Envoy: envoy, Reach: good, Key: good}
}

func aRoute(ref gatewayv1.ParentReference) *gatewayv1.HTTPRoute {
	const seen = 5
	r := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "tars", Generation: seen}}
	r.Status.Parents = []gatewayv1.RouteParentStatus{{
		ParentRef: ref, ControllerName: envoyGateway,
		Conditions: []metav1.Condition{
			observed(cond("Accepted", metav1.ConditionTrue, "Accepted", ""), seen),
			observed(cond("ResolvedRefs", metav1.ConditionTrue, "ResolvedRefs", ""), seen),
		},
	}}
	return r
}

func anAncestor(ref gatewayv1.ParentReference, seen int64) gatewayv1.PolicyStatus {
	return gatewayv1.PolicyStatus{Ancestors: []gatewayv1.PolicyAncestorStatus{{
		AncestorRef: ref, ControllerName: envoyGateway,
		Conditions: []metav1.Condition{observed(cond("Accepted", metav1.ConditionTrue, "Accepted", ""), seen)},
	}}}
}

func aDeployment(replicas int32) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "tars-extproc", Generation: 6}}
	d.Spec.Replicas = &replicas
	d.Spec.Template.Annotations = map[string]string{v1alpha1.AnnotationConfigHash: hash}
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: 6, Replicas: replicas, UpdatedReplicas: replicas, AvailableReplicas: replicas,
	}
	return d
}

// set replaces the condition of its type, or adds it.
func set(all *[]metav1.Condition, c metav1.Condition) {
	if old := meta.FindStatusCondition(*all, c.Type); old != nil {
		*old = c
		return
	}
	*all = append(*all, c)
}

// Shorthands for what the tests change.
func (o *Observation) gateway() *gatewayv1.Gateway { return o.Parents[0].Gateway }
func (o *Observation) routeSays(c metav1.Condition) {
	c.ObservedGeneration = o.Route.Generation
	set(&o.Route.Status.Parents[0].Conditions, c)
}
func (o *Observation) extensionPolicySays(c metav1.Condition) {
	c.ObservedGeneration = o.ExtensionPolicy.Generation
	set(&o.ExtensionPolicy.Status.Ancestors[0].Conditions, c)
}
func (o *Observation) gatewaySays(c metav1.Condition) {
	c.ObservedGeneration = o.gateway().Generation
	set(&o.gateway().Status.Conditions, c)
}
func (o *Observation) listenerSays(c metav1.Condition) {
	c.ObservedGeneration = o.gateway().Generation
	set(&o.gateway().Status.Listeners[0].Conditions, c)
}

// want is what one condition should be.
type want struct {
	conditionType string
	status        metav1.ConditionStatus
	reason        string
	message       []string
}

func accepted(status metav1.ConditionStatus, reason string, message ...string) want {
	return want{v1alpha1.ConditionAccepted, status, reason, message}
}

func resolved(status metav1.ConditionStatus, reason string, message ...string) want {
	return want{v1alpha1.ConditionResolvedRefs, status, reason, message}
}

func programmedIs(status metav1.ConditionStatus, reason string, message ...string) want {
	return want{v1alpha1.ConditionProgrammed, status, reason, message}
}

func extProcIs(status metav1.ConditionStatus, reason string, message ...string) want {
	return want{v1alpha1.ConditionExtProcAvailable, status, reason, message}
}

func dataPlaneIs(status metav1.ConditionStatus, reason string, message ...string) want {
	return want{v1alpha1.ConditionDataPlaneVerified, status, reason, message}
}

func upstreamIs(status metav1.ConditionStatus, reason string, message ...string) want {
	return want{v1alpha1.ConditionUpstreamReachable, status, reason, message}
}

func keyIs(status metav1.ConditionStatus, reason string, message ...string) want {
	return want{v1alpha1.ConditionCredentialVerified, status, reason, message}
}

// check changes a good observation and looks at one condition. Unless that is
// True, or has no say, Ready must not be True either.
func check(change func(*Observation), w want) {
	o := good()
	change(o)
	computed := Compute(*o)
	c := meta.FindStatusCondition(computed, w.conditionType)
	ExpectWithOffset(1, c).NotTo(BeNil())
	ExpectWithOffset(1, []string{string(c.Status), c.Reason}).To(Equal([]string{string(w.status), w.reason}), c.Message)
	for _, m := range w.message {
		ExpectWithOffset(1, c.Message).To(ContainSubstring(m))
	}
	if w.status != metav1.ConditionTrue {
		ready := meta.FindStatusCondition(computed, v1alpha1.ConditionReady)
		ExpectWithOffset(1, ready.Status).NotTo(Equal(metav1.ConditionTrue))
	}
}
