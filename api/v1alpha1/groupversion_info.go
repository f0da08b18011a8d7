// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is the gateway.tars.dev/v1alpha1 API: the TarsBackend
// custom resource, the condition types it reports and their reasons.
//
// The package holds types only. Values that a user may leave out are filled in
// defaults.go and not in the CRD, so that a better default reaches objects that
// already exist.
//
// +kubebuilder:object:generate=true
// +groupName=gateway.tars.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// SchemeGroupVersion is the group and version of the types in this package.
var SchemeGroupVersion = schema.GroupVersion{Group: "gateway.tars.dev", Version: "v1alpha1"}

var (
	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the types in this package to a scheme.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(SchemeGroupVersion, &TarsBackend{}, &TarsBackendList{})
	metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
	return nil
}
