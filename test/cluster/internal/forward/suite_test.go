// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestForward(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "test/cluster/internal/forward")
}
