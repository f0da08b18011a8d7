// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TarsBackendStatus is the observed state of a TarsBackend.
type TarsBackendStatus struct {
	// observedGeneration is the generation that this status is about; -1
	// before a controller has looked at the object.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions tell whether traffic works. Ready sums them up: its reason
	// and message are those of the first thing that is wrong.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// parents tells about each parentRef.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Parents []ParentStatus `json:"parents,omitempty"`

	// urls are the base URLs to give to SDKs.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	URLs []BaseURL `json:"urls,omitempty"`

	// credential identifies the key in use without revealing it.
	//
	// +optional
	Credential *CredentialStatus `json:"credential,omitempty"`

	// models tells about the models that apps can ask for, as far as TARS has
	// told with this key.
	//
	// +optional
	Models *ModelsStatus `json:"models,omitempty"`

	// extProc identifies the configuration of the external processor.
	//
	// +optional
	ExtProc *ExtProcStatus `json:"extProc,omitempty"`
}

// ParentStatus tells about one parentRef.
type ParentStatus struct {
	// parentRef is the one from spec.parentRefs.
	//
	// +required
	ParentRef gatewayv1.ParentReference `json:"parentRef"`

	// conditions are Accepted and Programmed for this parent alone.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// addresses are those of the Gateway.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	Addresses []string `json:"addresses,omitempty"`
}

// API is an API that apps speak.
//
// +kubebuilder:validation:Enum=OpenAI;Anthropic
type API string

const (
	// APIOpenAI is the API of OpenAI; its SDKs' base URL ends in /v1.
	APIOpenAI API = "OpenAI"
	// APIAnthropic is the API of Anthropic; its SDKs add /v1 themselves.
	APIAnthropic API = "Anthropic"
)

// BaseURL is a base URL to give to an SDK.
type BaseURL struct {
	// api is the API whose SDKs take this URL.
	//
	// +required
	API API `json:"api"`

	// url is the base URL.
	//
	// +required
	// +kubebuilder:validation:MaxLength=1024
	URL string `json:"url"`
}

// CredentialStatus identifies the key in use.
type CredentialStatus struct {
	// fingerprint is "sha256:" and the first 8 hexadecimal digits of the
	// SHA-256 of the key. It changes when the key that Envoy was given does.
	//
	// +optional
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{8}$`
	Fingerprint string `json:"fingerprint,omitempty"`
}

// ModelsStatus tells about the models that apps can ask for.
type ModelsStatus struct {
	// available is how many names of models apps can ask for: the models that
	// the key reaches and spec.models.allow keeps, and aliases that lead to a
	// model that the key reaches.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	Available int32 `json:"available"`

	// missing are the entries of spec.models.allow and the targets of
	// spec.models.aliases to which no model that the key reaches fits, sorted.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=320
	// +kubebuilder:validation:items:MaxLength=256
	Missing []string `json:"missing,omitempty"`
}

// ExtProcStatus identifies the configuration of the external processor.
type ExtProcStatus struct {
	// configHash is the content hash of its configuration.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ConfigHash string `json:"configHash,omitempty"`
}
