// SPDX-License-Identifier: Apache-2.0

package v1alpha1

const (
	// AnnotationPaused stops reconciling of a TarsBackend while its value is
	// "true". Objects already made stay as they are.
	AnnotationPaused = "gateway.tars.dev/paused"

	// AnnotationConfigHash on the external processor's pods is the hash of
	// the configuration they were made for.
	AnnotationConfigHash = "gateway.tars.dev/config-hash"

	// Finalizer lets the operator delete the HTTPRoute before anything else,
	// so that no request gets past a policy that is already gone.
	Finalizer = "gateway.tars.dev/finalizer"

	// PlaceholderKey is the value of the key in the sample Secret. A
	// TarsBackend whose Secret still holds it says so instead of sending it.
	PlaceholderKey = "replace-with-your-TARS-key"
)
