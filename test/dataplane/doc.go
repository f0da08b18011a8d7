// SPDX-License-Identifier: Apache-2.0

// Package dataplane holds the tests of the external processor behind a real
// Envoy process. It needs no root and no cluster; the path of the Envoy binary
// is taken from TARS_TEST_ENVOY, or asked of test/cluster. UPDATE_GOLDENS=1 has
// the golden files of errors written: read what changed.
package dataplane
