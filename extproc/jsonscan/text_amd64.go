// SPDX-License-Identifier: Apache-2.0

package jsonscan

import "golang.org/x/sys/cpu"

// wide says that the processor looks at 32 bytes with one instruction.
var wide = cpu.X86.HasAVX2

// wideText is the number of bytes at the beginning of p that are text, or escapes of
// one character that are among escapes. It looks at blocks of 32 bytes, and stops
// where there is not one left. It needs AVX2.
//
//go:noescape
func wideText(p []byte, escapes *[256]bool) int
