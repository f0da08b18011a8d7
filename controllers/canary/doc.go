// SPDX-License-Identifier: Apache-2.0

// Package canary asks every ready Envoy of a TarsBackend's Gateways whether it
// serves the current configuration.
//
// Through an Envoy that does, it asks TARS for its models: upstream_*.go.
//
// NewPlan is pure: it finds out whom to ask. Prober does the asking, and wakes
// the reconciler when an outcome changed. What an outcome means for a
// TarsBackend is decided in controllers/conditions.
package canary
