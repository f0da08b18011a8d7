// SPDX-License-Identifier: Apache-2.0

// Package errorcase holds every way to an error of the platform, as a table,
// and the answer that is expected, as golden files. The suite of the data plane
// asks an Envoy of its own, the end-to-end suite one that Envoy Gateway runs:
// both have to answer the same, to the byte.
package errorcase
