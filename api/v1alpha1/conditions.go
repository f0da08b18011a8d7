// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types of a TarsBackend. True always means that traffic works as
// far as this condition looks, on evidence about the current generation;
// Unknown means that the evidence is missing.
const (
	// ConditionAccepted: the spec is valid, its endpoint is allowed, no other
	// object is in the way, and every parent took the route.
	ConditionAccepted = "Accepted"
	// ConditionResolvedRefs: the Secret and the key in it, the CA, the
	// Gateways and Envoy Gateway's APIs are there.
	ConditionResolvedRefs = "ResolvedRefs"
	// ConditionProgrammed: every policy and backend of ours is accepted for
	// every parent at its current generation.
	ConditionProgrammed = "Programmed"
	// ConditionExtProcAvailable: enough replicas of the current configuration
	// of the external processor are ready, and none of another.
	ConditionExtProcAvailable = "ExtProcAvailable"
	// ConditionDataPlaneVerified: a canary request through every ready Envoy
	// of every parent came back with the current configuration.
	ConditionDataPlaneVerified = "DataPlaneVerified"
	// ConditionUpstreamReachable: TARS answered a request through every ready
	// Envoy: its DNS, its egress and TLS work.
	ConditionUpstreamReachable = "UpstreamReachable"
	// ConditionCredentialVerified: TARS took the key that Envoy puts on and
	// told the models that it reaches.
	ConditionCredentialVerified = "CredentialVerified"
	// ConditionModelsResolved: the allow-list and the aliases are within the
	// models that the key reaches. Ready does not wait for it.
	ConditionModelsResolved = "ModelsResolved"
	// ConditionReady: all of the above that block are True.
	ConditionReady = "Ready"
	// ConditionReconciling is present, and True, only while the status is
	// still moving towards the spec (kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present, and True, only while nothing moves until a
	// human changes the spec (kstatus).
	ConditionStalled = "Stalled"
)

// Reasons that more than one condition uses.
const (
	// ReasonPending: the evidence has not arrived yet; the message says which.
	ReasonPending = "Pending"
	// ReasonPaused: the annotation gateway.tars.dev/paused stops reconciling.
	ReasonPaused = "Paused"
	// ReasonReconcileError: the operator could not read or write an object.
	ReasonReconcileError = "ReconcileError"
)

// Reasons of Accepted.
const (
	// ReasonAccepted: the spec is accepted and every parent took the route.
	ReasonAccepted = "Accepted"
	// ReasonEndpointNotAllowed: the manager's --allowed-endpoints does not
	// allow spec.endpoint.hostname.
	ReasonEndpointNotAllowed = "EndpointNotAllowed"
	// ReasonConflicted: an older TarsBackend serves the same listener,
	// hostnames and path.
	ReasonConflicted = "Conflicted"
	// ReasonNameConflict: an object that is not ours has a child's name.
	ReasonNameConflict = "NameConflict"
	// ReasonNotEnvoyGateway: a parent's GatewayClass belongs to another
	// controller.
	ReasonNotEnvoyGateway = "NotEnvoyGateway"
	// ReasonListenerRefused: a listener of a parent does not take our route;
	// the message holds the Gateway's own reason.
	ReasonListenerRefused = "ListenerRefused"
)

// Reasons of ResolvedRefs.
const (
	// ReasonResolvedRefs: every reference was found.
	ReasonResolvedRefs = "ResolvedRefs"
	// ReasonSecretNotFound: the Secret of spec.credential does not exist.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretKeyNotFound: the Secret exists and lacks the key.
	ReasonSecretKeyNotFound = "SecretKeyNotFound"
	// ReasonInvalidSecret: the Secret's type or the key's value cannot be used.
	ReasonInvalidSecret = "InvalidSecret"
	// ReasonPlaceholderKey: the Secret still holds the sample's placeholder.
	ReasonPlaceholderKey = "PlaceholderKey"
	// ReasonCACertificateNotFound: the CA's ConfigMap or its key is missing.
	ReasonCACertificateNotFound = "CACertificateNotFound"
	// ReasonInvalidCACertificate: ca.crt holds no PEM certificate.
	ReasonInvalidCACertificate = "InvalidCACertificate"
	// ReasonGatewayNotFound: a Gateway of spec.parentRefs does not exist.
	ReasonGatewayNotFound = "GatewayNotFound"
	// ReasonGatewayClassNotFound: a Gateway's class does not exist.
	ReasonGatewayClassNotFound = "GatewayClassNotFound"
	// ReasonEnvoyGatewayNotInstalled: the Gateway API's or Envoy Gateway's
	// CRDs are missing.
	ReasonEnvoyGatewayNotInstalled = "EnvoyGatewayNotInstalled"
	// ReasonEnvoyGatewayTooOld: Envoy Gateway's CRDs lack fields we need.
	ReasonEnvoyGatewayTooOld = "EnvoyGatewayTooOld"
	// ReasonBackendAPIDisabled: Envoy Gateway runs without its Backend API.
	ReasonBackendAPIDisabled = "BackendAPIDisabled"
)

// Reasons of Programmed.
const (
	// ReasonProgrammed: Envoy Gateway accepted every object of ours.
	ReasonProgrammed = "Programmed"
	// ReasonPolicyNotAccepted: Envoy Gateway refused a policy of ours.
	ReasonPolicyNotAccepted = "PolicyNotAccepted"
	// ReasonBackendNotAccepted: Envoy Gateway refused our Backend.
	ReasonBackendNotAccepted = "BackendNotAccepted"
	// ReasonRouteNotResolved: Envoy Gateway could not resolve something our
	// HTTPRoute names.
	ReasonRouteNotResolved = "RouteNotResolved"
	// ReasonGatewayNotProgrammed: a Gateway has no working listener.
	ReasonGatewayNotProgrammed = "GatewayNotProgrammed"
)

// Reasons of ExtProcAvailable.
const (
	// ReasonAvailable: enough replicas (half of them, rounded up) of the current
	// configuration are ready, and none of another is.
	ReasonAvailable = "Available"
	// ReasonRollingOut: replicas of another configuration are still there.
	ReasonRollingOut = "RollingOut"
	// ReasonExtProcNotAvailable: too few replicas are ready.
	ReasonExtProcNotAvailable = "ExtProcNotAvailable"
	// ReasonScaledToZero: the Deployment has no replicas.
	ReasonScaledToZero = "ScaledToZero"
)

// Reasons of DataPlaneVerified.
const (
	// ReasonVerified: every ready Envoy answered the canary.
	ReasonVerified = "Verified"
	// ReasonNoReadyEnvoy: a parent has no ready Envoy pod.
	ReasonNoReadyEnvoy = "NoReadyEnvoy"
	// ReasonStaleConfiguration: an Envoy or an external processor still
	// answers with an older configuration.
	ReasonStaleConfiguration = "StaleConfiguration"
	// ReasonUnexpectedAnswer: an Envoy answered the canary wrongly.
	ReasonUnexpectedAnswer = "UnexpectedAnswer"
	// ReasonEnvoyUnreachable: an Envoy did not answer the canary.
	ReasonEnvoyUnreachable = "EnvoyUnreachable"
	// ReasonProbeNotPossible: the operator cannot speak to a listener. Also of
	// UpstreamReachable and CredentialVerified.
	ReasonProbeNotPossible = "ProbeNotPossible"
)

// Reasons of UpstreamReachable. All but the first mean three failures in a row.
const (
	// ReasonReachable: TARS answered through every ready Envoy.
	ReasonReachable = "Reachable"
	// ReasonDNSFailed: Envoy has no address for the endpoint's host name.
	ReasonDNSFailed = "DNSFailed"
	// ReasonTLSFailed: the endpoint's certificate is not trusted, or TLS with
	// it failed otherwise.
	ReasonTLSFailed = "TLSFailed"
	// ReasonConnectionRefused: the endpoint refused the connection.
	ReasonConnectionRefused = "ConnectionRefused"
	// ReasonConnectionFailed: the connection to the endpoint broke.
	ReasonConnectionFailed = "ConnectionFailed"
	// ReasonUpstreamTimeout: no connection or no answer in time.
	ReasonUpstreamTimeout = "UpstreamTimeout"
	// ReasonEnvoyEgressBlocked: the operator reaches the endpoint, Envoy does
	// not.
	ReasonEnvoyEgressBlocked = "EnvoyEgressBlocked"
	// ReasonUpstreamNotServing: TARS answers 5xx.
	ReasonUpstreamNotServing = "UpstreamNotServing"
	// ReasonNotATarsEndpoint: the endpoint has no list of models.
	ReasonNotATarsEndpoint = "NotATarsEndpoint"
	// ReasonUnexpectedResponse: something answered that does not speak as TARS
	// does. Also of CredentialVerified.
	ReasonUnexpectedResponse = "UnexpectedResponse"
)

// Reasons of CredentialVerified.
const (
	// ReasonKeyAccepted: TARS took the key.
	ReasonKeyAccepted = "KeyAccepted"
	// ReasonKeyRejected: TARS rejects the key.
	ReasonKeyRejected = "KeyRejected"
	// ReasonCreditsExhausted: the TARS account has no credits.
	ReasonCreditsExhausted = "CreditsExhausted"
	// ReasonRateLimited: TARS answered 429 before it ever took this key.
	ReasonRateLimited = "RateLimited"
	// ReasonVerificationDisabled: spec.credential.verification.mode is Disabled.
	// Also of ModelsResolved.
	ReasonVerificationDisabled = "VerificationDisabled"
)

// Reasons of ModelsResolved.
const (
	// ReasonModelsResolved: the key reaches every model that is named.
	ReasonModelsResolved = "ModelsResolved"
	// ReasonModelsNotFound: the key does not reach a model that is named.
	ReasonModelsNotFound = "ModelsNotFound"
)

// Reasons of Events that belong to no condition.
const (
	// ReasonShortDrainTime: serving begins or ends, for which Envoy drains the
	// connections of a Gateway in less time than a stream may take.
	ReasonShortDrainTime = "ShortDrainTime"
)

// Reasons of Ready: ReasonReady, or the reason of the first condition that
// is not True.
const (
	// ReasonReady: traffic works.
	ReasonReady = "Ready"
)
