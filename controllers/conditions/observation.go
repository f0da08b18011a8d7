// SPDX-License-Identifier: Apache-2.0

// Package conditions computes the conditions of a TarsBackend from what was
// observed, and nothing else: it is pure. It has no client, no clock and no
// context, so the same observation always gives the same conditions.
//
// Rules: a condition is True only on positive evidence about the current
// generation; what could not be seen is Unknown; what was seen and is bad is
// False with a reason of its own and a message that names the object, the
// layer and the fix.
package conditions

import (
	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

// Observation is everything that one reconcile saw. Phases fill it one after
// the other; a phase that was not reached leaves its part empty, and the
// conditions that need it are Unknown.
type Observation struct {
	// Backend is the object whose status is computed.
	Backend *v1alpha1.TarsBackend

	// Refused are findings that stop us before any child exists (resolve).
	// They make Accepted False.
	Refused []Finding
	// Unresolved are references that are missing or unusable (resolve). They
	// make ResolvedRefs False, or Unknown where the finding says so.
	Unresolved []Finding
	// Resolved is true once every reference was looked at (resolve).
	Resolved bool
	// Parents are the parentRefs in the order of the spec (resolve).
	Parents []Parent
	// NamespaceLabels are those of the Backend's namespace: listeners may
	// select routes by them. Nil: not known (resolve).
	NamespaceLabels map[string]string

	// Conflicts are children whose name a foreign object has (apply).
	Conflicts []Finding
	// Applied is true once every child was written (apply).
	Applied bool
	// ConfigHash is that of the desired ext_proc configuration (build).
	ConfigHash string
	// RouteHash is that of all desired children (build).
	RouteHash string
	// CredentialFingerprint is that of the key that Envoy was given (apply).
	CredentialFingerprint string

	// Children as read back after they were written; nil: not there (observe).
	Route           *gatewayv1.HTTPRoute
	ExtensionPolicy *egv1a1.EnvoyExtensionPolicy
	TrafficPolicy   *egv1a1.BackendTrafficPolicy
	Endpoint        *egv1a1.Backend
	Deployment      *appsv1.Deployment

	// Canary is what the prober last saw for exactly ConfigHash and RouteHash;
	// nil: nothing yet (observe).
	Canary *CanaryReport

	// ModelsBefore is what the status tells about the models of exactly this spec
	// and key; nil: nothing.
	ModelsBefore *v1alpha1.ModelsStatus

	// Failure is an error of the API server that stopped this reconcile, in
	// words, without object bodies; empty: none.
	Failure string
}

// Finding is one thing that is wrong.
type Finding struct {
	// Reason is one of the Reason constants of api/v1alpha1.
	Reason string
	// Message names the object, what is wrong with it, and the fix.
	Message string
	// Unknown says that the thing could not be looked at, rather than that it
	// is wrong.
	Unknown bool
}

// Parent is one parentRef and what it led to.
type Parent struct {
	// Ref is the parentRef with its defaults filled in (group, kind,
	// namespace).
	Ref gatewayv1.ParentReference
	// Gateway is nil when it was not found.
	Gateway *gatewayv1.Gateway
	// ControllerName is that of the Gateway's class; empty: class not found.
	ControllerName gatewayv1.GatewayController
	// Controlled says that the class is one of the Envoy Gateways we serve.
	Controlled bool
	// Refused are findings about this parent alone.
	Refused []Finding
}

// CanaryReport is what the prober last saw.
type CanaryReport struct {
	// Probes hold one entry per Envoy and listener.
	Probes []Probe
	// NotPossible says which listeners cannot be probed, and why, in words.
	NotPossible []string
	// Missing names the parents that have no ready Envoy.
	Missing []string
	// Upstream holds one entry per Envoy of each Gateway.
	Upstream []UpstreamProbe
	// Models are the ids of the models that the key reaches, as TARS last told;
	// nil: not known.
	Models []string
	// DirectReach says that the operator itself reached the endpoint while an
	// Envoy did not; DirectProxy, that it did so through its own HTTPS_PROXY.
	DirectReach, DirectProxy bool
}

// ProbeOutcome classifies what came back.
type ProbeOutcome string

const (
	// ProbePending means that there is no answer yet.
	ProbePending ProbeOutcome = "Pending"
	// ProbeJoined means an Envoy that appeared after every other one had been
	// verified, and that has not answered yet.
	ProbeJoined ProbeOutcome = "Joined"
	// ProbeVerified means that as many answers in a row as asked for were current.
	ProbeVerified ProbeOutcome = "Verified"
	// ProbeStale means that an answer came with another hash than the current one.
	ProbeStale ProbeOutcome = "Stale"
	// ProbeWrong means that an answer came that no canary gives.
	ProbeWrong ProbeOutcome = "Wrong"
	// ProbeImpossible means that the listener does not let the operator ask: it
	// wants a client certificate or the PROXY protocol, or lets no packet through.
	ProbeImpossible ProbeOutcome = "Impossible"
	// ProbeUnreachable means no connection, or no answer in time.
	ProbeUnreachable ProbeOutcome = "Unreachable"
)

// Probe is the last that was seen of one Envoy at one listener.
type Probe struct {
	// Gateway is "<namespace>/<name>" and Listener the listener's name.
	Gateway, Listener string
	// Envoy is the pod's "<namespace>/<name>", or its address where the pod
	// is not known.
	Envoy string
	// Service is set in place of Envoy where the Service in front of the Envoys
	// was asked: its "<namespace>/<name>".
	Service string
	// Outcome classifies the answer.
	Outcome ProbeOutcome
	// Detail says in words what came instead of the canary's answer, without
	// anything of the answer's body; empty when verified.
	Detail string
	// Fresh says that a change is so recent, or still rolling out, that such an answer
	// is normal: nothing is wrong yet.
	Fresh bool
}

// UpstreamOutcome classifies what came back from TARS through an Envoy.
type UpstreamOutcome string

const (
	// UpstreamPending means that there is no verdict yet; the detail tells what
	// the last attempt met, if there was one.
	UpstreamPending UpstreamOutcome = "Pending"
	// UpstreamJoined means an Envoy that appeared after all others had a good
	// verdict, and that was not asked yet.
	UpstreamJoined UpstreamOutcome = "Joined"
	// UpstreamServed means an answer of TARS; for the key, its list of models.
	UpstreamServed UpstreamOutcome = "Served"
	// UpstreamRejected means that TARS rejects the key.
	UpstreamRejected UpstreamOutcome = "Rejected"
	// UpstreamNoCredits means that TARS wants to be paid.
	UpstreamNoCredits UpstreamOutcome = "NoCredits"
	// UpstreamRateLimited means 429 of TARS.
	UpstreamRateLimited UpstreamOutcome = "RateLimited"
	// UpstreamNotServing means 5xx of TARS.
	UpstreamNotServing UpstreamOutcome = "NotServing"
	// UpstreamNotFound means that there is no list of models.
	UpstreamNotFound UpstreamOutcome = "NotFound"
	// UpstreamUnexpected means an answer that TARS does not give.
	UpstreamUnexpected UpstreamOutcome = "Unexpected"
	// UpstreamNoAddress means that Envoy has no address for the host name.
	UpstreamNoAddress UpstreamOutcome = "NoAddress"
	// UpstreamTLS means that TLS failed.
	UpstreamTLS UpstreamOutcome = "TLS"
	// UpstreamRefused means that the connection was refused.
	UpstreamRefused UpstreamOutcome = "Refused"
	// UpstreamTimeout means no connection, or no answer, in time.
	UpstreamTimeout UpstreamOutcome = "Timeout"
	// UpstreamBroken means a connection that broke.
	UpstreamBroken UpstreamOutcome = "Broken"
	// UpstreamImpossible means that a filter of the Gateway or the external
	// processor does not let the request through to TARS.
	UpstreamImpossible UpstreamOutcome = "Impossible"
)

// UpstreamVerdict is an outcome that three requests in a row agree on, or one
// where it is good.
type UpstreamVerdict struct {
	Outcome UpstreamOutcome
	// Detail says in words what came, without anything of the answer's body.
	Detail string
}

// UpstreamProbe is what is known of the way to TARS through one Envoy.
type UpstreamProbe struct {
	// Gateway and Envoy are those of Probe.
	Gateway, Envoy string
	// Reach is about the way, Key about the key that Envoy puts on.
	Reach, Key UpstreamVerdict
}
