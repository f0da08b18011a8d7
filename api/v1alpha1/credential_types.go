// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

// Credential names the TARS key.
type Credential struct {
	// secretRef is the Secret that holds the raw key (sk-..., without
	// "Bearer"). A changed key reaches Envoy without a restart. Deleting the
	// Secret revokes the key: requests then fail.
	//
	// +required
	SecretRef SecretKeyReference `json:"secretRef,omitzero"`

	// verification says how the operator finds out that TARS takes the key.
	//
	// +optional
	// +kubebuilder:default={}
	Verification Verification `json:"verification,omitzero"`
}

// Verification says how the operator finds out that TARS takes the key: by
// asking TARS for its list of models through each Envoy, which costs no token.
type Verification struct {
	// mode is Periodic: at once for a new key, then each interval; or Disabled:
	// never, and then Ready does not tell whether TARS takes the key. That TARS
	// answers at all is looked at in both modes.
	//
	// +optional
	// +kubebuilder:default=Periodic
	Mode VerificationMode `json:"mode,omitempty"`

	// interval is the time between two verifications of a key that TARS takes.
	// It is varied by a tenth, so that not all TarsBackends ask at once. When
	// unspecified, 10m.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') && duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="credential.verification.interval must be between 1m and 24h: write for example 10m"
	Interval *gatewayv1.Duration `json:"interval,omitempty"`
}

// VerificationMode says whether a key is verified.
//
// +kubebuilder:validation:Enum=Periodic;Disabled
type VerificationMode string

const (
	// VerificationPeriodic verifies at once and then each interval.
	VerificationPeriodic VerificationMode = "Periodic"
	// VerificationDisabled does not verify.
	VerificationDisabled VerificationMode = "Disabled"
)

// SecretKeyReference names one key of a Secret in the TarsBackend's namespace.
type SecretKeyReference struct {
	// name is the Secret's name. The Secret's type must be Opaque.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="secretRef.name must be the name of a Secret: lower case letters, digits, '-' and '.', without its namespace"
	Name string `json:"name,omitempty"`

	// key is the key in the Secret's data.
	//
	// +optional
	// +kubebuilder:default=apiKey
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key must be a key of a Secret's data: letters, digits, '-', '_' and '.'"
	Key string `json:"key,omitempty"`
}
