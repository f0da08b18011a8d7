// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// firstRequestTries is how often the promise is tried: 20 times, or as often as
// E2E_FIRST_REQUESTS says (make cycles).
func firstRequestTries() int {
	GinkgoHelper()
	text := os.Getenv("E2E_FIRST_REQUESTS")
	if text == "" {
		return 20
	}
	tries, err := strconv.Atoi(text)
	Expect(err).NotTo(HaveOccurred(), "E2E_FIRST_REQUESTS is a number")
	return tries
}

// firstRequestWithin is how soon after kubectl wait the request has to begin
// for a try to count.
const firstRequestWithin = 50 * time.Millisecond

// firstRequestLate is how many tries may begin later for each that does not, on
// a machine that is busy with something else. Their requests must be served all
// the same.
const firstRequestLate = 1

// The shell notes when wait came back, and the request's own process when it
// began: both are outside of this one.
const firstRequestScript = `set -euo pipefail
kubectl wait --for=condition=Ready "tarsbackend/$NAME" -n "$NAMESPACE" --timeout=120s >/dev/null
date +%s%N
exec curl --silent --show-error --max-time 20 --output /dev/null --write-out '%{http_code} %{time_total}\n' \
  -H 'content-type: application/json' -d "$BODY" "$URL"
`

// try is what came of one.
type try struct {
	// Ready is how long kubectl wait took, from before kubectl apply.
	Ready time.Duration `json:"readyNanoseconds"`
	// Late is an upper bound of the time between the end of kubectl wait and
	// the beginning of the request.
	Late time.Duration `json:"lateNanoseconds"`
	// Status is that of the request, 000 for none.
	Status string `json:"status"`
}

// keptTries are those of an interrupted run, in the file that E2E_FIRST_REQUESTS_FILE
// names; none without it.
func keptTries() (tries []try) {
	GinkgoHelper()
	path := os.Getenv("E2E_FIRST_REQUESTS_FILE")
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	Expect(err).NotTo(HaveOccurred())
	for line := range strings.Lines(string(text)) {
		var t try
		Expect(json.Unmarshal([]byte(line), &t)).To(Succeed(), "%s: %s", path, line)
		tries = append(tries, t)
	}
	return tries
}

// keep adds the try to those of keptTries.
func (t try) keep() {
	GinkgoHelper()
	path := os.Getenv("E2E_FIRST_REQUESTS_FILE")
	if path == "" {
		return
	}
	line, err := json.Marshal(t)
	Expect(err).NotTo(HaveOccurred())
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	Expect(err).NotTo(HaveOccurred())
	_, err = f.Write(append(line, '\n'))
	Expect(errors.Join(err, f.Close())).To(Succeed())
}

// firstRequest applies a TarsBackend and sends a request as soon as it is Ready.
func firstRequest(b backend) try {
	GinkgoHelper()
	applied := time.Now()
	apply(b.namespace, b.manifests())
	out := must(command{name: "bash", args: []string{"-c", firstRequestScript}, env: []string{
		"NAME=" + b.name, "NAMESPACE=" + b.namespace, "URL=" + lab.base + b.prefix + "/v1/chat/completions",
		"BODY=" + string(chatBody(chatModel, "first", false)),
	}})
	end := time.Now()
	lines := strings.Fields(out)
	Expect(lines).To(HaveLen(3), out)
	nanoseconds, err := strconv.ParseInt(lines[0], 10, 64)
	Expect(err).NotTo(HaveOccurred())
	ready := time.Unix(0, nanoseconds)
	seconds, err := strconv.ParseFloat(lines[2], 64)
	Expect(err).NotTo(HaveOccurred())
	// The end of the process is noticed some time after the end of the request.
	begin := end.Add(-time.Duration(seconds * float64(time.Second)))
	return try{Ready: ready.Sub(applied), Late: begin.Sub(ready), Status: lines[1]}
}

var _ = Describe("Ready", func() {
	It("means that the first request is served", func() {
		namespace := newNamespace("first-request")
		var failed []string
		var took, late []time.Duration
		counted, wanted := 0, firstRequestTries()
		count := func(t try) {
			took, late = append(took, t.Ready), append(late, t.Late)
			if t.Status != "200" {
				failed = append(failed, fmt.Sprintf("try %d: %s", len(took), t.Status))
			}
			if t.Late <= firstRequestWithin {
				counted++
			}
		}
		for _, t := range keptTries() {
			count(t)
		}
		for counted < wanted {
			b := backend{name: "first", namespace: namespace, gateway: gatewayName, prefix: fmt.Sprintf("/first-%d", len(took))}
			t := firstRequest(b)
			t.keep()
			count(t)
			Expect(len(took)-counted).To(BeNumerically("<", firstRequestLate*wanted), "the machine is too busy to try this: requests began %v after Ready", late)
			kubectl("delete", "-n", namespace, "tarsbackend/"+b.name, "--timeout=2m")
		}
		slices.Sort(took)
		slices.Sort(late)
		fmt.Fprintf(os.Stderr, "apply -> Ready over %d tries: median %.1f s, p99 %.1f s, max %.1f s; first requests at most %s after it (%d within %s); failed: %d\n",
			len(took), took[len(took)/2].Seconds(), took[len(took)*99/100].Seconds(), took[len(took)-1].Seconds(), late[len(late)-1].Round(time.Millisecond),
			counted, firstRequestWithin, len(failed))
		Expect(failed).To(BeEmpty())
	})
})
