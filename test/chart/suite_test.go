// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"log"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

func TestChart(t *testing.T) {
	RegisterFailHandler(Fail)
	// Helm warns there about values of the wrong type, which is what some specs
	// are about.
	log.SetOutput(GinkgoWriter)
	logf.SetLogger(GinkgoLogr)
	RunSpecs(t, "Chart")
}
