// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TarsBackend connects the Gateways named in spec.parentRefs to Tetrate Agent
// Router Service (TARS). Apps behind those Gateways then speak the OpenAI or
// Anthropic API without holding a key. status.conditions tells whether traffic
// works, and status.urls what to paste into an SDK.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=tars,categories=gateway-api
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Models",type=integer,JSONPath=`.status.models.available`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.status.urls[0].url`
// +kubebuilder:printcolumn:name="Credential",type=string,priority=1,JSONPath=`.status.credential.fingerprint`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z][-a-z0-9]*$')",message="metadata.name must begin with a letter and hold no '.': Services are named after it"
type TarsBackend struct {
	metav1.TypeMeta `json:",inline"`

	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the desired state.
	// +required
	Spec TarsBackendSpec `json:"spec"`

	// status is the observed state. observedGeneration -1 means that no
	// controller has looked at the object yet.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status TarsBackendStatus `json:"status,omitzero"`
}

// TarsBackendList is a list of TarsBackends.
//
// +kubebuilder:object:root=true
type TarsBackendList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []TarsBackend `json:"items"`
}

// TarsBackendSpec is the desired state of a TarsBackend.
type TarsBackendSpec struct {
	// parentRefs are the Gateways that serve this backend, in the sense of
	// HTTPRoute's parentRefs. Their GatewayClass must belong to Envoy Gateway.
	// A parentRef without sectionName and port means every HTTP listener of
	// its Gateway that takes routes from this namespace.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(p, (!has(p.group) || p.group == 'gateway.networking.k8s.io') && (!has(p.kind) || p.kind == 'Gateway'))",message="a parentRef must name a Gateway: leave group and kind out, or set group gateway.networking.k8s.io and kind Gateway"
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, a.name == b.name && (has(a.__namespace__) ? a.__namespace__ : '') == (has(b.__namespace__) ? b.__namespace__ : '') && (!has(a.sectionName) || !has(b.sectionName) || a.sectionName == b.sectionName)))",message="parentRefs names the same Gateway twice: give each its own sectionName (the name of a listener), or remove one"
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.all(b, a.name != b.name || (has(a.__namespace__) ? a.__namespace__ : '') != (has(b.__namespace__) ? b.__namespace__ : '') || has(a.port) == has(b.port)))",message="parentRefs to the same Gateway must all have a port or none: sectionName alone tells listeners apart"
	ParentRefs []gatewayv1.ParentReference `json:"parentRefs,omitempty"`

	// hostnames are the host names this backend answers to, in the sense of
	// HTTPRoute's hostnames. When unspecified, every host name of the listener.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(h, !isIP(h))",message="hostnames must be DNS names, not IP addresses: leave hostnames out to answer on every address of the listener"
	Hostnames []gatewayv1.Hostname `json:"hostnames,omitempty"`

	// pathPrefix is the path below which the APIs are served: <pathPrefix>/v1
	// and nothing else of the listener. An SDK's base URL includes it.
	//
	// +optional
	// +kubebuilder:default="/"
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="pathPrefix must start with /: write for example /llm"
	// +kubebuilder:validation:XValidation:rule="self == '/' || !self.endsWith('/')",message="pathPrefix must not end with /: write for example /llm"
	// +kubebuilder:validation:XValidation:rule="!self.contains('//') && !self.matches('(^|/)\\\\.\\\\.?(/|$)')",message="pathPrefix must not contain //, /./ or /../: Envoy normalises them away, so they never match"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9/._~!$&()*+,;=:@-]*$')",message="pathPrefix may hold only unescaped URL path characters (no %, ?, #, quote or space)"
	// +kubebuilder:validation:XValidation:rule="!self.endsWith('/v1')",message="leave /v1 out of pathPrefix: the operator adds it, so /llm is served as /llm/v1"
	PathPrefix string `json:"pathPrefix,omitempty"`

	// endpoint is the TARS data plane that requests go to.
	//
	// +optional
	// +kubebuilder:default={}
	Endpoint Endpoint `json:"endpoint,omitzero"`

	// credential is the TARS key that Envoy puts on every request.
	//
	// +required
	Credential Credential `json:"credential,omitzero"`

	// models restricts and renames models. When unspecified, apps reach every
	// model that the key reaches.
	//
	// +optional
	Models *Models `json:"models,omitempty"`

	// unlistedPaths says what happens to a path under /v1 that is none of the
	// inference and model-list endpoints the operator understands: Forward
	// sends it to TARS with the key and without model policy, Deny answers
	// 404. When unspecified, Forward, but Deny once models.allow is set:
	// otherwise an unlisted path would get around the allow-list.
	//
	// +optional
	UnlistedPaths UnlistedPaths `json:"unlistedPaths,omitempty"`

	// timeouts bound a request in time.
	//
	// +optional
	Timeouts *Timeouts `json:"timeouts,omitempty"`

	// retry says when a request is sent to TARS again. When unspecified, once,
	// after a connection that failed, a refused stream or a 503.
	//
	// +optional
	Retry *Retry `json:"retry,omitempty"`

	// requestBody bounds a request in size.
	//
	// +optional
	RequestBody *RequestBody `json:"requestBody,omitempty"`

	// extProc configures the external processor that reads requests and
	// responses for this backend.
	//
	// +optional
	ExtProc *ExtProc `json:"extProc,omitempty"`

	// readiness says what the Ready condition needs.
	//
	// +optional
	// +kubebuilder:default={}
	Readiness Readiness `json:"readiness,omitzero"`
}

// Endpoint is the address of a TARS data plane. It is always reached by TLS.
type Endpoint struct {
	// hostname is the DNS name of the data plane, also sent as SNI and Host
	// and checked against the server's certificate. The operator's
	// --allowed-endpoints must allow it.
	//
	// +optional
	// +kubebuilder:default="api.router.tetrate.ai"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$')",message="hostname must be a DNS name of at least two labels in lower case, without scheme, port or path: write for example api.router.tetrate.ai"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[0-9.]+$')",message="hostname must be a DNS name, not an IP address: TLS checks the server's certificate against it"
	Hostname string `json:"hostname,omitempty"`

	// port is the TCP port of the data plane.
	//
	// +optional
	// +kubebuilder:default=443
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// tls configures the connection to the data plane.
	//
	// +optional
	TLS *EndpointTLS `json:"tls,omitempty"`
}

// EndpointTLS configures TLS towards TARS.
type EndpointTLS struct {
	// validation says which certificate authorities to trust. When
	// unspecified, those of the Envoy image (the system's).
	//
	// +optional
	Validation *EndpointTLSValidation `json:"validation,omitempty"`
}

// EndpointTLSValidation says which certificate authorities Envoy trusts.
type EndpointTLSValidation struct {
	// caCertificateRefs names a ConfigMap in the TarsBackend's namespace that
	// holds PEM certificates under the key ca.crt.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.group == '' && r.kind == 'ConfigMap')",message="a caCertificateRef must name a ConfigMap (group \"\", kind ConfigMap) with the key ca.crt"
	CACertificateRefs []gatewayv1.LocalObjectReference `json:"caCertificateRefs,omitempty"`
}

// Models restricts and renames models.
type Models struct {
	// allow lists the models that apps may ask for: exact ids, or a prefix
	// followed by one trailing *. When unspecified, every model that the key
	// reaches.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:XValidation:rule="!self.contains('*') || self.indexOf('*') == size(self) - 1",message="* may stand only at the end of an allowed model: write for example claude-*"
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[!-~]+$')",message="a model may hold only printable ASCII characters without spaces"
	Allow []string `json:"allow,omitempty"`

	// aliases give models further names. An app that asks for an alias gets
	// its model, also when that model is not in allow. An alias with the name
	// of a model hides that model.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(a, !self.exists(b, b.name == a.model))",message="an alias must point at a model, not at the name of an alias: write the model itself"
	Aliases []ModelAlias `json:"aliases,omitempty"`
}

// ModelAlias is a further name of a model.
type ModelAlias struct {
	// name is what apps ask for.
	//
	// +required
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[!-~]+$') && !self.contains('*')",message="an alias's name may hold only printable ASCII characters without spaces and *"
	Name string `json:"name,omitempty"`

	// model is what TARS is asked for.
	//
	// +required
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[!-~]+$') && !self.contains('*')",message="an alias's model must be one exact model: printable ASCII characters without spaces and *"
	Model string `json:"model,omitempty"`
}

// UnlistedPaths says what happens to paths that the operator has no rule for.
//
// +kubebuilder:validation:Enum=Deny;Forward
type UnlistedPaths string

const (
	// UnlistedPathsDeny answers 404 in the caller's API's error shape.
	UnlistedPathsDeny UnlistedPaths = "Deny"
	// UnlistedPathsForward sends the request to TARS with the key.
	UnlistedPathsForward UnlistedPaths = "Forward"
)

// Timeouts bound a request in time.
type Timeouts struct {
	// connect bounds the connection to TARS, TLS included. When unspecified,
	// 10s.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') && duration(self) > duration('0s')",message="timeouts.connect must be a duration above 0s: write for example 10s"
	Connect *gatewayv1.Duration `json:"connect,omitempty"`

	// streamIdle bounds the silence on a request: the time in which neither
	// side sends a byte, the wait for the first token included. 0s: no bound.
	// When unspecified, 10m.
	//
	// +optional
	StreamIdle *gatewayv1.Duration `json:"streamIdle,omitempty"`

	// request bounds the whole request, a stream included. 0s: no bound. When
	// unspecified, 0s.
	//
	// +optional
	Request *gatewayv1.Duration `json:"request,omitempty"`
}

// Retry says when a request is sent to TARS again: always before the first byte
// of an answer. TARS tries other providers by itself. A request whose body is
// larger than Envoy keeps (32 KiB) is sent only once.
type Retry struct {
	// attempts is how often a request is sent again at most. 0: never. When
	// unspecified, 1.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5
	Attempts *int32 `json:"attempts,omitempty"`

	// codes are the statuses of TARS after which a request is sent again; a
	// connection that failed and a refused stream are always among the reasons.
	// An empty list: no status. When unspecified, 503. TARS's retry-after is not
	// waited for, and whether an answer with another status than 429 and 503 was
	// charged is TARS's to say.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Codes []RetryStatusCode `json:"codes,omitempty"`
}

// RetryStatusCode is an HTTP status from 400 to 599.
//
// +kubebuilder:validation:Minimum=400
// +kubebuilder:validation:Maximum=599
type RetryStatusCode int32

// RequestBody bounds a request in size.
type RequestBody struct {
	// maxSize is the largest request body that an inference endpoint takes; a
	// larger one is answered 413. When unspecified, 32Mi.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? (self >= 1024 && self <= 268435456) : (isQuantity(self) && !quantity(self).isLessThan(quantity('1Ki')) && !quantity(self).isGreaterThan(quantity('256Mi')))",message="requestBody.maxSize must be between 1Ki and 256Mi: write for example 32Mi"
	MaxSize *resource.Quantity `json:"maxSize,omitempty"`
}

// Readiness says what the Ready condition needs.
type Readiness struct {
	// dataPlane says whether Ready waits for what the operator's requests
	// through each Envoy prove: DataPlaneVerified, UpstreamReachable and
	// CredentialVerified. Required: it does. Informational: they are reported,
	// Ready does not wait for DataPlaneVerified, and for the other two only
	// where they are False; for listeners that the operator cannot reach.
	//
	// +optional
	// +kubebuilder:default=Required
	DataPlane ReadinessMode `json:"dataPlane,omitempty"`
}

// ReadinessMode says whether a condition blocks Ready.
//
// +kubebuilder:validation:Enum=Required;Informational
type ReadinessMode string

const (
	// ReadinessRequired makes Ready wait for the condition.
	ReadinessRequired ReadinessMode = "Required"
	// ReadinessInformational keeps the condition out of Ready.
	ReadinessInformational ReadinessMode = "Informational"
)
