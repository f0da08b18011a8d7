// SPDX-License-Identifier: Apache-2.0

// Package harness runs what traffic passes on its way to TARS: a real Envoy,
// configured as Envoy Gateway would, and the operator's external processor. It
// is for the tests of the data plane and of the SDKs, and knows no framework
// of theirs.
package harness

import "io"

// Options are what each process of a world needs.
type Options struct {
	// Root is the folder of the operator's module.
	Root string
	// Dir is for files, which whoever made the folder removes.
	Dir string
	// Binary is the operator's, as Build makes it.
	Binary string
	// Race has Build put the race detector in.
	Race bool
	// LogLevel is the external processor's; default debug.
	LogLevel string
	// Env are further variables of the external processor, as name=value.
	Env []string
	// Log gets what the processes print.
	Log io.Writer
}
