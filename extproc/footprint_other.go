// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package extproc

// releaseProgram is for Linux, where containers run.
func releaseProgram() error { return nil }
