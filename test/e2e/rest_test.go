// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	shared "github.com/tars-operator/tars-operator/test/lab"
)

const (
	// restEvidence is where what a whole rest shows goes.
	restEvidence = "docs/evidence/rest.txt"
	// wholeRest is as long as the operator looks at a key again by default, so
	// that everything that it does again and again has its turn.
	wholeRest = 10 * time.Minute
	// settled is how long nothing may be written before a rest begins: what specs
	// before this one left may still be on its way out.
	settled = 10 * time.Second
	// leaseWithin bounds the time between two renewals of the leader's Lease.
	leaseWithin = 10 * time.Second
)

// restTime is half a minute, or as many minutes as REST_MINUTES says (make rest).
func restTime() time.Duration {
	GinkgoHelper()
	text := os.Getenv("REST_MINUTES")
	if text == "" {
		return 30 * time.Second
	}
	minutes, err := strconv.Atoi(text)
	Expect(err).NotTo(HaveOccurred(), "REST_MINUTES is a number")
	return time.Duration(minutes) * time.Minute
}

var _ = Describe("At rest", func() {
	It("the operator writes nothing but its Lease", func() {
		namespace := newNamespace("rest")
		good := backend{name: "good", namespace: namespace, gateway: gatewayName, prefix: "/rest"}
		models := backend{name: "models", namespace: namespace, gateway: gatewayName, prefix: "/rest-models", extra: `models: {allow: [` + chatModel + `, gpt-9], aliases: [{name: fast, model: xai/grok-4.5}]}
retry: {attempts: 2}`}
		// What is wrong and stays so is no reason to write either.
		lost := backend{name: "lost", namespace: namespace, gateway: gatewayName, prefix: "/rest-lost", extra: "endpoint: {hostname: nowhere.tetrate.ai}"}
		keyless := backend{name: "keyless", namespace: namespace, gateway: gatewayName, prefix: "/rest-keyless"}
		apply(namespace, good.manifests()+models.manifests()+lost.manifests()+keyless.manifest())
		waitReady(namespace, good.name)
		waitReady(namespace, models.name)
		Eventually(func() string { return readyReason(namespace, lost.name) }).WithTimeout(readyTimeout).Should(Equal("DNSFailed"))
		Expect(readyReason(namespace, keyless.name)).To(Equal("SecretNotFound"))

		account := strings.TrimSpace(kubectl("get", "deployment", "-n", shared.OperatorNamespace, "tars-operator-controller-manager",
			"-o", "jsonpath={.spec.template.spec.serviceAccountName}"))
		log := followAudit(fmt.Sprintf("system:serviceaccount:%s:%s", shared.OperatorNamespace, account))
		var written []string
		counts := map[string]int{}
		lease := time.Now()
		look := func() {
			GinkgoHelper()
			for _, r := range log.next() {
				counts[r.what()]++
				switch {
				case r.writes() && r.lease():
					lease = r.RequestReceivedTimestamp
				case r.writes():
					written = append(written, fmt.Sprintf("%s %s %s/%s",
						r.RequestReceivedTimestamp.Format(time.TimeOnly), r.what(), r.ObjectRef.Namespace, r.ObjectRef.Name))
				}
			}
			// Or else the log tells nothing, and the rest proves nothing.
			Expect(time.Since(lease)).To(BeNumerically("<", leaseWithin), "the operator's Lease is not renewed")
		}
		quiet, last := time.Now(), "nothing"
		Eventually(func() time.Duration {
			if look(); len(written) > 0 {
				last, written, quiet = written[len(written)-1], nil, time.Now()
			}
			return time.Since(quiet)
		}).WithPolling(time.Second).WithTimeout(readyTimeout).Should(BeNumerically(">", settled),
			func() string { return "the operator does not come to rest; it last wrote: " + last })

		clear(counts)
		begun, rest := time.Now(), restTime()
		Consistently(func() []string {
			look()
			return written
		}).WithPolling(time.Second).WithTimeout(rest).Should(BeEmpty())

		var report strings.Builder
		fmt.Fprintf(&report, "%.0f s at rest with 4 TarsBackends: two are Ready, one has an endpoint without an address, one no Secret.\n", time.Since(begun).Seconds())
		fmt.Fprintf(&report, "The operator's requests of that time in the API server's audit log; its Lease is all that it wrote:\n")
		for _, what := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&report, "%6d %s\n", counts[what], what)
		}
		fmt.Fprint(os.Stderr, report.String())
		if rest >= wholeRest {
			commit := strings.TrimSpace(must(command{name: "git", args: []string{"rev-parse", "--short=12", "HEAD"}}))
			Expect(os.WriteFile(filepath.Join(lab.root, restEvidence), []byte("make rest, commit "+commit+":\n"+report.String()), 0o600)).To(Succeed())
		}
	})
})
