// SPDX-License-Identifier: Apache-2.0

// Package goldens applies the golden files of controllers/desired to a real
// API server with the CRDs of Envoy Gateway: a golden file must not keep an
// object that no cluster would take.
package goldens
