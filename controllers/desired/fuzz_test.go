// SPDX-License-Identifier: Apache-2.0

package desired_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/randfill"
)

// FuzzBuild builds what bytes make of a spec: that never panics, is the same twice,
// names each object once, and keeps what holds for every spec.
func FuzzBuild(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		RegisterTestingT(t)
		expectWellBuilt("of bytes", randomInput(randfill.NewFromGoFuzz(data)))
	})
}
