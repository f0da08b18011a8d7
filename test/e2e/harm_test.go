// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// traffic is requests and streams that go on while something happens.
type traffic struct{ requests, streams *load }

// startTraffic sends requests and streams of some seconds to a TarsBackend.
func startTraffic(base string) traffic {
	t := traffic{
		requests: startLoad(loadPlan{Clients: 4, Pause: 20 * time.Millisecond, Request: func(ctx context.Context, _ int) (*http.Request, error) {
			return chatRequest(ctx, base, chatBody(chatModel, "traffic", false), nil)
		}}),
		streams: startLoad(loadPlan{Clients: 4, Pause: time.Millisecond, Request: func(ctx context.Context, _ int) (*http.Request, error) {
			return chatRequest(ctx, base, chatBody(chatModel, "traffic", true), map[string]string{
				"x-fake-duration": "8s", "x-fake-chunks": "40",
			})
		}}),
	}
	Eventually(t.requests.sent).Should(BeNumerically(">", 50))
	return t
}

// expectUnharmed lets some more of it happen, ends it and judges it.
func (t traffic) expectUnharmed(during string) {
	GinkgoHelper()
	more, moreStreams := t.requests.sent()+200, t.streams.sent()+8
	Eventually(t.requests.sent).WithTimeout(readyTimeout).Should(BeNumerically(">", more))
	Eventually(t.streams.sent).WithTimeout(readyTimeout).Should(BeNumerically(">=", moreStreams))
	requests, streams := t.requests.stop(), t.streams.stop()
	fmt.Fprintf(os.Stderr, "%s: %s; streams: %s\n", during, requests, streams)
	Expect(requests.bad()).To(BeZero(), requests.String())
	Expect(streams.bad()).To(BeZero(), streams.String())
}
