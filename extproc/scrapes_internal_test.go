// SPDX-License-Identifier: Apache-2.0

package extproc

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = DescribeTable("A reader of the metrics is expected",
	func(came bool, apart, within time.Duration) {
		last := time.Time{}
		if came {
			last = time.Now()
		}
		Expect(nextScrape(last, apart).Sub(last)).To(Equal(within))
	},
	Entry("never, where nobody ever came", false, time.Duration(0), time.Duration(0)),
	Entry("within the most there is, who came once", true, time.Duration(0), time.Minute),
	Entry("after half as much more than last time", true, 30*time.Second, 45*time.Second),
)
