// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"testing"

	. "github.com/onsi/gomega"
)

// FuzzCompute has each byte be a change of what is all good: the invariants hold for
// whatever comes of it.
func FuzzCompute(f *testing.F) {
	all := changes()
	f.Fuzz(func(t *testing.T, data []byte) {
		RegisterTestingT(t)
		made := make([]func(*Observation), 0, len(data))
		for _, b := range data[:min(len(data), 64)] {
			made = append(made, all[int(b)%len(all)])
		}
		checkAfter(made)
	})
}
