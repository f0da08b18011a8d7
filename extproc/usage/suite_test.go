// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/usage"
)

func TestUsage(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "extproc/usage")
}

// everyCut calls f with the text in one piece, in two pieces cut anywhere,
// and byte by byte.
func everyCut(text string, f func(pieces ...string)) {
	f(text)
	for i := range len(text) {
		f(text[:i], text[i:])
	}
	f(strings.Split(text, "")...)
}

type passer interface {
	Pass(p []byte) []byte
	Close() []byte
}

// pass sends the pieces through and returns what the client sees.
func pass(p passer, pieces ...string) string {
	var seen strings.Builder
	for _, piece := range pieces {
		seen.Write(p.Pass([]byte(piece)))
	}
	seen.Write(p.Close())
	return seen.String()
}

var _ passer = (*usage.Body)(nil)
