// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
)

var _ = Describe("the memory of used tickets", func() {
	It("forgets a ticket only once it is out of time", func() {
		now := time.Unix(1_000_000, 0)
		t := newTickets(func() time.Time { return now })
		future := config.ProbeTicket("token", "f", now.Add(config.ProbeTicketLife))
		Expect(t.use("token", future)).To(Succeed())
		for i := range 100 {
			Expect(t.use("token", config.ProbeTicket("token", fmt.Sprint(i), now))).To(Succeed())
		}
		now = now.Add(2 * config.ProbeTicketLife)
		Expect(t.use("token", future)).To(MatchError(errTicketUsed), "the last moment at which it is good")
		now = now.Add(time.Millisecond)
		Expect(t.use("token", future)).To(MatchError(config.ErrProbeTicketTime))
		Expect(t.use("token", config.ProbeTicket("token", "last", now))).To(Succeed())
		Expect(t.used).To(HaveLen(1))
	})
})
