// SPDX-License-Identifier: Apache-2.0

// Package crd holds no code: its tests put valid and invalid TarsBackends
// before a real API server that knows nothing but the generated CRD.
//
// Start reading at refused_test.go. schema_test.go walks the CRD and demands
// that each of its rules and bounds is refused at least once there, so a new
// field without a case of its own fails. fields_test.go demands that each
// field has an example in docs/fields.md.
package crd
