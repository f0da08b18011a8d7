// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package jsonscan

const wide = false

func wideText([]byte, *[256]bool) int { return 0 }
