// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// firstRequestTries is how often the promise is tried.
const firstRequestTries = 20

// firstRequestWithin is how soon after kubectl wait the request begins.
const firstRequestWithin = 50 * time.Millisecond

// The shell notes when wait came back, and the request's own process when it
// began: both are outside of this one.
const firstRequestScript = `set -euo pipefail
kubectl wait --for=condition=Ready "tarsbackend/$NAME" -n "$NAMESPACE" --timeout=120s >/dev/null
date +%s%N
exec curl --silent --show-error --max-time 20 --output /dev/null --write-out '%{http_code} %{time_total}\n' \
  -H 'content-type: application/json' -d "$BODY" "$URL"
`

var _ = Describe("Ready", func() {
	It("means that the first request is served", func() {
		namespace := newNamespace("first-request")
		var failed []string
		var took []time.Duration
		for try := range firstRequestTries {
			b := backend{name: "first", namespace: namespace, gateway: gatewayName, prefix: fmt.Sprintf("/first-%d", try)}
			applied := time.Now()
			apply(namespace, b.manifests())
			out := must(command{name: "bash", args: []string{"-c", firstRequestScript}, env: []string{
				"NAME=" + b.name, "NAMESPACE=" + namespace, "URL=" + lab.base + b.prefix + "/v1/chat/completions",
				"BODY=" + string(chatBody(chatModel, "first", false)),
			}})
			lines := strings.Fields(out)
			Expect(lines).To(HaveLen(3), out)
			ready, err := strconv.ParseInt(lines[0], 10, 64)
			Expect(err).NotTo(HaveOccurred())
			seconds, err := strconv.ParseFloat(lines[2], 64)
			Expect(err).NotTo(HaveOccurred())
			begin := time.Now().Add(-time.Duration(seconds * float64(time.Second)))
			// What lies between is the start of curl; the end of the process
			// is noticed after it, so this is an upper bound.
			if late := begin.Sub(time.Unix(0, ready)); late > firstRequestWithin {
				_, _ = fmt.Fprintf(GinkgoWriter, "try %d: the request began %s after wait, later than wanted\n", try, late)
			}
			took = append(took, time.Unix(0, ready).Sub(applied))
			if lines[1] != "200" {
				failed = append(failed, fmt.Sprintf("try %d: %s", try, lines[1]))
			}
			kubectl("delete", "-n", namespace, "tarsbackend/"+b.name, "--timeout=2m")
		}
		slices.Sort(took)
		fmt.Fprintf(os.Stderr, "apply -> Ready over %d tries: median %.1f s, max %.1f s; failed first requests: %d\n",
			firstRequestTries, took[len(took)/2].Seconds(), took[len(took)-1].Seconds(), len(failed))
		Expect(failed).To(BeEmpty())
	})
})
