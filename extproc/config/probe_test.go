// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/tars-operator/tars-operator/extproc/config"
)

var _ = Describe("a probe's ticket", func() {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ticket := config.ProbeTicket("token", "ab12", at)

	It("gives its nonce while it is good", func() {
		for _, now := range []time.Time{at, at.Add(config.ProbeTicketLife), at.Add(-config.ProbeTicketLife)} {
			Expect(config.CheckProbeTicket("token", ticket, now)).To(Equal("ab12"))
		}
	})
	It("does not show the token", func() {
		Expect(ticket).NotTo(ContainSubstring("token"))
	})
	DescribeTable("is refused", func(token, ticket string, now time.Time, want error) {
		_, err := config.CheckProbeTicket(token, ticket, now)
		Expect(err).To(MatchError(want))
	},
		Entry("of another route", "other", ticket, at, config.ErrProbeTicket),
		Entry("with another nonce", "token", strings.Replace(ticket, "ab12", "ab13", 1), at, config.ErrProbeTicket),
		Entry("with another time", "token", "1"+ticket, at, config.ErrProbeTicket),
		Entry("cut", "token", ticket[:len(ticket)-1], at, config.ErrProbeTicket),
		Entry("empty", "token", "", at, config.ErrProbeTicket),
		Entry("without a nonce", "token", config.ProbeTicket("token", "", at), at, config.ErrProbeTicket),
		Entry("too old", "token", ticket, at.Add(config.ProbeTicketLife+time.Millisecond), config.ErrProbeTicketTime),
		Entry("from the future", "token", ticket, at.Add(-config.ProbeTicketLife-time.Millisecond), config.ErrProbeTicketTime),
	)
})
