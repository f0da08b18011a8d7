// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("waitFor", func() {
	const long = time.Minute

	It("tries until it works", func(ctx context.Context) {
		tries := 0
		Expect(waitFor(ctx, long, func(context.Context) (bool, error) {
			tries++
			if tries < 3 {
				return false, errors.New("not yet")
			}
			return false, nil
		})).To(Succeed())
		Expect(tries).To(Equal(3))
	})

	It("stops at an error that is final", func(ctx context.Context) {
		tries := 0
		Expect(waitFor(ctx, long, func(context.Context) (bool, error) {
			tries++
			return true, errors.New("it has ended")
		})).To(MatchError("it has ended"))
		Expect(tries).To(Equal(1))
	})

	It("says how long it tried, and the last error", func(ctx context.Context) {
		Expect(waitFor(ctx, time.Millisecond, func(context.Context) (bool, error) {
			return false, errors.New("not yet")
		})).To(MatchError("waited up to 1ms: not yet"))
	})

	It("stops with who asked", func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		Expect(waitFor(ctx, long, func(context.Context) (bool, error) {
			cancel()
			return false, errors.New("not yet")
		})).To(MatchError(ContainSubstring("not yet")))
	}, SpecTimeout(long/2))
})

var _ = DescribeTable("lastLine",
	func(content, want string) {
		log := filepath.Join(GinkgoT().TempDir(), "log")
		Expect(os.WriteFile(log, []byte(content), 0o600)).To(Succeed())
		Expect(lastLine(log)).To(Equal(want))
	},
	Entry("of several", "first\nlast\n", "last"),
	Entry("of one without an end", "only", "only"),
	Entry("of none", "", ""),
)
