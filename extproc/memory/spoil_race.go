// SPDX-License-Identifier: Apache-2.0

//go:build race

package memory

// spoil overwrites what nobody may use any more, so that tests notice who does: they run
// with the race detector.
func spoil(p []byte) {
	for i := range p {
		p[i] = 0xdb
	}
}
