// SPDX-License-Identifier: Apache-2.0

package jsonscan

import "testing"

// TestTextOfOldProcessors holds what processors without AVX2 run against the slow way.
func TestTextOfOldProcessors(t *testing.T) {
	if !wide {
		t.Skip("this is such a processor")
	}
	wide = false
	defer func() { wide = true }()
	t.Run("random", TestText)
	t.Run("bytes", TestTextBytes)
}
